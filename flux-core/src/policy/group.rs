//! Release groups: workloads that move together or not at all, and all to the same tag.

use std::collections::BTreeSet;

use crate::{image::Tag, manifest::WorkloadId};

/// A workload of a group, and the tags of its containers.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The workload.
    pub id: &'a WorkloadId,
    /// The tags that containers run and keep: there is nothing newer for them, or something holds
    /// it back.
    pub keeps: BTreeSet<&'a Tag>,
    /// The tags that containers are to go to.
    pub moves: BTreeSet<&'a Tag>,
}

/// That a group cannot move.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Apart {
    /// The tag that most of them could have.
    pub tag: Tag,
    /// Those that could not, in ascending order; empty if each could and some container is to go
    /// elsewhere.
    pub missing: Vec<WorkloadId>,
}

/// Returns why a group cannot move; `None` if it can.
///
/// It can if all moves are to one tag, and each member moves to it or has it.
///
/// Containers that keep what they run do not count, so a side-car with tags of its own is no
/// hindrance until it is to move too.
pub fn apart(members: &[Member<'_>]) -> Option<Apart> {
    let goals: BTreeSet<&Tag> = members.iter().flat_map(|m| m.moves.iter().copied()).collect();
    let missing = |tag: &Tag| -> Vec<WorkloadId> {
        let lacks = members.iter().filter(|m| !m.moves.contains(tag) && !m.keeps.contains(tag));
        let mut lacks: Vec<WorkloadId> = lacks.map(|m| m.id.clone()).collect();
        lacks.sort();
        lacks
    };
    // Of tags that equally many lack, the one whose text comes last: it is more often the newer
    // one.
    let nearest = goals.iter().rev().map(|tag| (*tag, missing(tag))).min_by_key(|(_, missing)| missing.len());
    let (tag, missing) = nearest?;
    (goals.len() > 1 || !missing.is_empty()).then(|| Apart { tag: tag.clone(), missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_moves_when_all_of_it_can_have_one_tag() {
        // Of each member the tags kept and those gone to; the tag and who is missing.
        type Row = (
            &'static [(&'static [&'static str], &'static [&'static str])],
            Option<(&'static str, &'static [&'static str])>,
        );
        let table: [Row; 8] = [
            (&[], None),
            (&[(&["1"], &[]), (&["2"], &[])], None),
            (&[(&[], &["2"]), (&[], &["2"])], None),
            (&[(&["2"], &[]), (&[], &["2"])], None),
            (&[(&["envoy-1"], &["2"]), (&[], &["2"])], None),
            (&[(&[], &["2"]), (&["1"], &[]), (&["2"], &[])], Some(("2", &["shop:deployment/w1"]))),
            (&[(&[], &["2"]), (&[], &["3"]), (&[], &["2"])], Some(("2", &["shop:deployment/w1"]))),
            (&[(&[], &["2", "3"]), (&[], &["2", "3"])], Some(("3", &[]))),
        ];
        for (members, expected) in table {
            let tags = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<Tag>>();
            let owned: Vec<(WorkloadId, Vec<Tag>, Vec<Tag>)> = (members.iter().enumerate())
                .map(|(i, (keeps, moves))| {
                    (WorkloadId::new("shop", "deployment", format!("w{i}")), tags(keeps), tags(moves))
                })
                .collect();
            let members: Vec<Member<'_>> = owned
                .iter()
                .map(|(id, keeps, moves)| Member {
                    id,
                    keeps: keeps.iter().collect(),
                    moves: moves.iter().collect(),
                })
                .collect();
            let found = apart(&members)
                .map(|a| (a.tag.to_string(), a.missing.iter().map(ToString::to_string).collect::<Vec<_>>()));
            let expected =
                expected.map(|(tag, ids)| (tag.to_owned(), ids.iter().map(|id| (*id).to_owned()).collect()));
            assert_eq!(found, expected, "{members:?}");
        }
    }
}
