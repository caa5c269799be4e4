//! Times as people write them, and as claims hold them (RFC 7519 section 2, `NumericDate`).

use jiff::fmt::friendly::SpanParser;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// The time now, to the second.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Reads a time: epoch seconds, a span from `now`, a day's name or RFC 3339.
///
/// Days and longer units are calendar units in UTC. An ambiguous text is refused: the error says
/// how to write each meaning.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, &'static str> {
    let day = |days| from(now, Span::new().days(days));
    match text {
        "now" => return Ok(now),
        "tomorrow" => return day(1),
        "yesterday" => return day(-1),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']);
    let rest = unsigned.unwrap_or(text);
    if is_number(rest) {
        return match unsigned {
            None => epoch_seconds(text),
            Some(_) => Err("a span needs a unit, as +60s does, and epoch seconds have no sign"),
        };
    }
    if let Ok(span) = SpanParser::new().parse_span(text) {
        return if unsigned.is_some() || text.ends_with(" ago") {
            from(now, span)
        } else {
            Err("from now on is +, before now is -")
        };
    }
    if unsigned.is_some() {
        return Err("not a span as +1h, -1d, +1h30m and +2 weeks are");
    }
    rfc3339(text)
}

/// The time as a JSON number, with a fraction where the time has one.
pub(crate) fn numeric_date(time: Timestamp) -> String {
    let nanoseconds = time.as_nanosecond();
    let (seconds, fraction) =
        (nanoseconds.unsigned_abs() / 1_000_000_000, nanoseconds.unsigned_abs() % 1_000_000_000);
    let sign = if nanoseconds < 0 { "-" } else { "" };
    if fraction == 0 {
        format!("{sign}{seconds}")
    } else {
        let fraction = format!("{fraction:09}");
        format!("{sign}{seconds}.{}", fraction.trim_end_matches('0'))
    }
}

/// The time of a `NumericDate`; `None` beyond the years with four digits.
pub(crate) fn of_numeric_date(number: &str) -> Option<Timestamp> {
    if let Ok(seconds) = number.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    let seconds: f64 = number.parse().ok()?;
    // For today's times, a double is exact to the microsecond, and not better.
    #[allow(clippy::cast_possible_truncation)] // The cast saturates, out of range.
    Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()
}

fn from(now: Timestamp, span: Span) -> Result<Timestamp, &'static str> {
    let time = now.to_zoned_datetime(TimeZone::UTC).checked_add(span);
    time.map(|time| time.timestamp()).map_err(|_| "beyond the year 9999")
}

fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction)
}

fn epoch_seconds(text: &str) -> Result<Timestamp, &'static str> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 {
        return Err("more than nine digits after the point");
    }
    let seconds = whole.parse().unwrap_or(i64::MAX);
    let nanoseconds = format!("{fraction:0<9}").parse().unwrap_or(0);
    Timestamp::new(seconds, nanoseconds)
        .map_err(|_| "beyond the year 9999; a time is in seconds, not in milliseconds")
}

fn rfc3339(text: &str) -> Result<Timestamp, &'static str> {
    const OTHER: &str = "not a time; a time is epoch seconds, a span from now on as +1h or -1d, \
                         now, tomorrow, yesterday, or RFC 3339 as 2026-01-31T12:00:00Z";
    // RFC 3339 section 5.6; jiff accepts many other forms, too.
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c.to_ascii_uppercase() })
        .collect();
    let Some(rest) = shape.strip_prefix("0000-00-00") else { return Err(OTHER) };
    if rest.is_empty() {
        return Err("a date alone is no time: add one, as in 2026-01-31T00:00:00Z");
    }
    let Some(rest) = rest.strip_prefix(['T', ' ']).and_then(|rest| rest.strip_prefix("00:00:00"))
    else {
        return Err(OTHER);
    };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches('0'),
        None => rest,
    };
    match zone {
        "" => Err("a time without its offset from UTC: Z at its end is UTC"),
        "Z" | "+00:00" | "-00:00" => text.parse().map_err(|_| "no such day or time of day"),
        _ => Err(OTHER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-31T12:00:00Z.
    const NOW: i64 = 1_769_860_800;

    fn at(text: &str) -> Result<String, &'static str> {
        parse(text, Timestamp::from_second(NOW).unwrap()).map(numeric_date)
    }

    #[test]
    fn reads_every_spelling_of_the_contract() {
        for (text, expected) in [
            ("1767225600", "1767225600"),
            ("0", "0"),
            ("now", "1769860800"),
            ("tomorrow", "1769947200"),
            ("yesterday", "1769774400"),
            ("+1h", "1769864400"),
            ("-1d", "1769774400"),
            ("+1h30m", "1769866200"),
            ("-2 weeks", "1768651200"),
            ("2 weeks ago", "1768651200"),
            ("+3650d", "2085220800"),
            ("2026-01-31T12:00:00Z", "1769860800"),
            ("2026-01-31t12:00:00z", "1769860800"),
            ("2026-01-31 14:00:00+02:00", "1769860800"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn keeps_fractions_of_seconds() {
        for (text, expected) in [
            ("1767225600.5", "1767225600.5"),
            ("1767225600.000", "1767225600"),
            ("0.000000001", "0.000000001"),
            ("+500ms", "1769860800.5"),
            ("2026-01-31T12:00:00.25Z", "1769860800.25"),
            ("1969-12-31T23:59:59.5Z", "-0.5"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn counts_months_and_years_by_the_calendar() {
        assert_eq!(at("+1mo"), at("2026-02-28T12:00:00Z"));
        assert_eq!(at("+1 year"), at("2027-01-31T12:00:00Z"));
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        for (text, words) in [
            ("+60", "unit"),
            ("-1", "unit"),
            ("1h", "from now on is +"),
            ("2026-01-31", "date alone"),
            ("2026-01-31T12:00:00", "offset"),
            ("1767225600000", "milliseconds"),
        ] {
            assert!(at(text).unwrap_err().contains(words), "{text}: {:?}", at(text));
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            " ",
            "+",
            "-",
            "soon",
            "Tomorrow",
            "+1 fortnight",
            "+-1h",
            "+1h-30m",
            "1e9",
            "0x10",
            "1.",
            ".5",
            "1,5",
            "2026-02-30T12:00:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00+0200",
            "2026-01-31T12:00:00Z[Europe/Berlin]",
            "2026-01-31T12:00:00.Z",
            "Sat, 31 Jan 2026 12:00:00 GMT",
            "99999999999999999999999999",
            "+99999999999y",
            "+9000y",
            "1.0000000001",
            "２０２６",
            "P1D",
            "+P1D",
        ] {
            assert!(at(text).is_err(), "{text}: {:?}", at(text));
        }
    }

    #[test]
    fn shows_numeric_dates_of_any_kind() {
        let shown = |number| of_numeric_date(number).map(|time| time.to_string());
        assert_eq!(shown("1769860800").as_deref(), Some("2026-01-31T12:00:00Z"));
        assert_eq!(shown("1.7698608e9").as_deref(), Some("2026-01-31T12:00:00Z"));
        assert_eq!(shown("1769860800.25").as_deref(), Some("2026-01-31T12:00:00.25Z"));
        assert_eq!(shown("1e300"), None);
        assert_eq!(shown("99999999999999999999"), None);
    }
}
