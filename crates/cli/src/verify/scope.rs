//! What is compared, by the options.

use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::timestamp::Timestamp;
use bridge_history::api::start::check_times;
use bridge_history::scan::filter::Filter;
use bridge_history::verify::scope::Scope;

use crate::Usage;
use crate::verify::listed::Listed;
use crate::verify::options::VerifyArguments;

/// Whether the options leave a time to compare, as a reseed asks for it.
///
/// # Errors
/// [`Usage`] where they do not.
pub(super) fn check(arguments: &VerifyArguments) -> Result<(), Usage> {
    let end = match arguments.plan {
        Some(_) => Timestamp(i64::MAX),
        None => SystemClock.now(),
    };
    let until = arguments.until.unwrap_or(end);
    check_times("--from", arguments.from, until).map_err(Usage)
}

/// What the options ask for. A bucket goes on changing while its copy is read: what came behind the beginning of
/// this comparison is not asked for, unless `--until` says so. A plan is as it is.
pub(super) fn of(arguments: &VerifyArguments, listed: &Listed) -> Scope {
    let now = || SystemClock.now();
    let until = match (arguments.until, listed.is_frozen()) {
        (Some(until), _) => Some(until),
        (None, true) => None,
        (None, false) => Some(now()),
    };
    Scope {
        bucket: listed.bucket().to_owned(),
        filter: Filter {
            prefix: arguments.prefix.clone(),
            suffix: arguments.suffix.clone(),
            from: arguments.from,
            until,
            events: arguments.kinds,
            current_only: arguments.current_only,
        },
        is_until_given: arguments.until.is_some(),
        is_frozen: listed.is_frozen(),
        has_order: true,
    }
}
