//! Cron schedules of five fields: minute, hour, day of month, month, day of week.

use jiff::civil::Date;

/// A schedule: which minutes of which days.
///
/// Fields are numbers, names of months and days (`jan`, `fri`, in any case), `*` or `?` for all,
/// ranges `a-b`, steps `*/n`, `a-b/n` and `a/n` (from `a` to the end), and lists of these with
/// commas. Sunday is 0 or 7. If both days are limited, a day that fits either is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// `true` if both the day of month and the day of week are limited, so that either is enough.
    either: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The rules of a field: its name, its first and last value, and the names of values from
/// `named` on.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day of month", first: 1, last: 31, names: &[] },
    Field { name: "month", first: 1, last: 12, names: &MONTHS },
    Field { name: "day of week", first: 0, last: 7, names: &WEEKDAYS },
];

impl Cron {
    /// Reads the five fields; `Err` says what is wrong.
    pub(super) fn parse(fields: [&str; 5]) -> Result<Self, String> {
        let mut sets = [0; 5];
        for ((set, field), text) in sets.iter_mut().zip(&FIELDS).zip(fields) {
            *set = field.parse(text)?;
        }
        let [minutes, hours, days, months, weekdays] = sets;
        // Sunday is 7 too.
        let weekdays = (weekdays | weekdays >> 7) & 0x7f;
        let limited = |set: u64, all: u64| set & all != all;
        let either = limited(days, 0xffff_fffe) && limited(weekdays, 0x7f);
        let cron = Self { minutes, hours, days, months, weekdays, either };
        let longest = |month: u32| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let first_day = days.trailing_zeros();
        if !either && !(1..=12).any(|m| months & 1 << m != 0 && first_day <= longest(m)) {
            return Err("no such day is in any of these months".to_owned());
        }
        Ok(cron)
    }

    pub(super) fn on(&self, date: Date) -> bool {
        let has = |set: u64, at: i8| u32::try_from(at).is_ok_and(|at| set >> at & 1 == 1);
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month()) && if self.either { day || weekday } else { day && weekday }
    }

    /// Returns the times of a day, the last first.
    pub(super) fn times(&self) -> impl Iterator<Item = (i8, i8)> {
        let set = |set: u64, last: i8| (0..=last).rev().filter(move |at| set >> at & 1 == 1);
        let minutes = self.minutes;
        set(self.hours, 23).flat_map(move |hour| set(minutes, 59).map(move |minute| (hour, minute)))
    }
}

impl Field {
    fn parse(&self, text: &str) -> Result<u64, String> {
        text.split(',').try_fold(0, |set, item| Ok(set | self.item(item)?))
    }

    fn item(&self, text: &str) -> Result<u64, String> {
        let wrong = || format!("`{text}` is no {}", self.name);
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|n| *n > 0).ok_or_else(wrong)?)),
            None => (text, None),
        };
        let (from, to) = match range {
            "*" | "?" => (self.first, self.last),
            _ => match range.split_once('-') {
                Some((from, to)) => (self.value(from).ok_or_else(wrong)?, self.value(to).ok_or_else(wrong)?),
                None => {
                    let from = self.value(range).ok_or_else(wrong)?;
                    (from, if step.is_some() { self.last } else { from })
                }
            },
        };
        if from > to {
            return Err(format!("`{text}` is no {}: the range ends before it starts", self.name));
        }
        let step = usize::try_from(step.unwrap_or(1)).map_err(|_| wrong())?;
        Ok((from..=to).step_by(step).fold(0, |set, at| set | 1 << at))
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(at) => u32::try_from(at).ok()? + self.first,
            None => number(text)?,
        };
        (self.first..=self.last).contains(&value).then_some(value)
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Cron, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        Cron::parse(fields.try_into().unwrap())
    }

    fn set(of: impl IntoIterator<Item = u32>) -> u64 {
        of.into_iter().fold(0, |set, at| set | 1 << at)
    }

    #[test]
    fn fields_are_values_ranges_steps_and_lists() {
        let cron = parse("*/15 9-17/4 1,15 JAN-mar,12 Fri").unwrap();
        assert_eq!(cron.minutes, set([0, 15, 30, 45]));
        assert_eq!(cron.hours, set([9, 13, 17]));
        assert_eq!(cron.days, set([1, 15]));
        assert_eq!(cron.months, set([1, 2, 3, 12]));
        assert_eq!(cron.weekdays, set([5]));
        assert_eq!(parse("50/5 ? * * 7").unwrap().minutes, set([50, 55]));
        for sunday in ["0", "7", "SUN"] {
            assert_eq!(parse(&format!("0 0 * * {sunday}")).unwrap().weekdays, set([0]));
        }
        assert_eq!(parse("0 0 * * 5-7").unwrap().weekdays, set([5, 6, 0]));
    }

    #[test]
    fn a_day_fits_either_field_when_both_are_limited() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let friday_or_13th = parse("0 0 13 * 5").unwrap();
        assert!(friday_or_13th.on(date("2026-11-20")));
        assert!(friday_or_13th.on(date("2026-10-13")));
        assert!(!friday_or_13th.on(date("2026-11-21")));
        let friday = parse("0 0 * * 5").unwrap();
        assert!(friday.on(date("2026-11-20")) && !friday.on(date("2026-11-13").tomorrow().unwrap()));
        assert!(parse("0 0 31 2 1").is_ok());
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "* * * 0 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "* * * fri *",
            ", * * * *",
            "1,,2 * * * *",
            "-1 * * * *",
            "+1 * * * *",
            "1- * * * *",
            "1/ * * * *",
            "*/x * * * *",
            "99999999999 * * * *",
            "0 0 31 2 *",
            "0 0 31 4,6 *",
            "@daily * * * *",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
