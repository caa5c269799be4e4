//! Times at the command line, as `NumericDate`s.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};
use ojwt_core::json::Json;

use crate::Failure;

/// Reads a time; gives it as a JSON number.
pub(crate) fn numeric_date(flag: &str, text: &str) -> Result<String, Failure> {
    if let Ok(json) = Json::parse(text.as_bytes())
        && let Some(number) = json.root().as_number()
    {
        return Ok(number.to_owned());
    }
    let now = Timestamp::now();
    let time = match text {
        "now" => Some(now),
        "tomorrow" => shifted(now, 1.day()),
        "yesterday" => shifted(now, -1.day()),
        _ => match text.split_at_checked(1) {
            Some(("+", span)) => span.parse::<Span>().ok().and_then(|span| shifted(now, span)),
            Some(("-", span)) => span.parse::<Span>().ok().and_then(|span| shifted(now, -span)),
            _ => text.parse::<Timestamp>().ok(),
        },
    };
    time.map(|time| time.as_second().to_string()).ok_or_else(|| {
        Failure::usage(format!(
            "{flag}: \"{text}\" is no time: give seconds since the epoch, now, tomorrow, \
             yesterday, an offset such as +1h or -2d, or RFC 3339"
        ))
    })
}

/// Days, months and years are those of the calendar, in UTC.
fn shifted(now: Timestamp, span: Span) -> Option<Timestamp> {
    let shifted = now.to_zoned_datetime(TimeZone::UTC).checked_add(span).ok()?;
    Some(shifted.timestamp())
}

/// Renders a `NumericDate` for people.
pub(crate) fn rendered(number: &str) -> Option<String> {
    let seconds: f64 = number.parse().ok()?;
    #[allow(clippy::cast_possible_truncation)]
    // The cast saturates; jiff refuses what it cannot tell.
    let time = Timestamp::from_second(seconds.floor() as i64).ok()?;
    Some(time.to_string())
}
