//! Hints for names that are nearly right.

/// Returns `did you mean …? ` for a name that is nearly one of those known, and nothing otherwise.
pub(crate) fn did_you_mean(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(nearest) => format!("did you mean `{nearest}`? "),
        None => String::new(),
    }
}

/// Returns the known name that differs least: in spelling by case and separators, else in at most a
/// third of its letters.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| -> Vec<char> {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let name = plain(name);
    let distances = known.iter().map(|known| (distance(&name, &plain(known)), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= nearest.len() && distance < name.len()).then_some(nearest)
}

/// Counts the letters to add, drop or replace to make one text of the other.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_gets_a_hint() {
        let known = ["automated", "minAge", "tag", "tags", "platforms", "hold"];
        for (name, expected) in [
            ("min-age", Some("minAge")),
            ("minage", Some("minAge")),
            ("automatd", Some("automated")),
            ("automate", Some("automated")),
            ("platform", Some("platforms")),
            ("tagss", Some("tags")),
            ("x", None),
            ("", None),
            ("replicas", None),
        ] {
            assert_eq!(nearest(name, &known), expected, "{name}");
        }
        assert_eq!(did_you_mean("min_age", &known), "did you mean `minAge`? ");
    }
}
