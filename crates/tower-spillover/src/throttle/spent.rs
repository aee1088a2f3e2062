//! The counters of a success, and the next request.

use std::time::Duration;

use http::HeaderMap;
use spillover_hint::{Dimension, Quotas, Source};

use crate::clock::wall_clock;

/// Returns the time for which the backend takes no request, when its own counters say that this one was the last.
///
/// The reset of a counter is the end of a window with some vendors, and the time until all of it is back with others
/// (OpenAI, Anthropic). One request is back no earlier than its share of that: sooner nothing can be, and to wait longer
/// could leave capacity unused. Tokens say nothing, as it is not known how many the next request takes.
pub(super) fn spent(headers: &HeaderMap) -> Option<(Duration, Source)> {
    // In the usual case no counter is zero, and nothing else needs to be read.
    if !headers.values().any(|value| value == "0") {
        return None;
    }
    let quotas = Quotas::from_headers(headers);
    let requests = quotas.get(Dimension::Requests)?;
    if requests.remaining() != Some(0) {
        return None;
    }
    let share = u32::try_from(requests.limit()?).ok()?;
    let wait = requests.reset()?.wait(wall_clock()).checked_div(share)?;
    Some((wait, Source::Reset))
}
