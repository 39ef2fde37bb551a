//! Whether a job may let live changes follow, and whether a job may start while another one does.

use bridge_core::config::Config;
use bridge_core::queue::ordering::Order;

use crate::id::JobId;
use crate::job::error::{JobError, JobStoreError};
use crate::job::handover::Then;
use crate::job::options::Options;
use crate::job::ports::Ports;
use crate::scan::filter::Events;

/// Which fields a request has whose values are not told by its options.
pub(super) struct Given {
    pub prefix: bool,
    pub until: bool,
    pub queue_url: bool,
}

/// Checks the fields of a request beside `"then":"live"`: the queue must get all that realtime sends, as
/// realtime sends it.
///
/// # Errors
/// [`JobError::BadRequest`], naming the field.
pub(super) fn check_fields(
    given: &Given,
    config: &Config,
    options: &Options,
) -> Result<(), JobError> {
    if options.then != Some(Then::Live) {
        return Ok(());
    }
    let order = Some(config.order).filter(|order| *order == options.order);
    let wrong = [
        (
            given.prefix,
            "prefix",
            "realtime sends all keys of the stack: leave it out",
        ),
        (
            given.until,
            "until",
            "the history ends where live begins: leave it out",
        ),
        (
            options.plan.is_some(),
            "plan",
            "what happened since it was made would be missing: leave one of both out",
        ),
        (
            options.filter.events != Events::All,
            "events",
            "realtime sends versions and delete markers: leave it out, or all",
        ),
        (
            options.filter.current_only,
            "currentOnly",
            "versions of the time in which the history is sent would be missing: leave it out",
        ),
        (
            options.dry_run,
            "dryRun",
            "nothing would be sent, and live be held all the same: leave one of both out",
        ),
        (
            given.queue_url,
            "queueUrl",
            "live changes go to the stack's queue: leave it out",
        ),
        (
            options.order == Order::None,
            "order",
            "a standard queue keeps no order, so nothing could follow anything: use a FIFO queue",
        ),
        (
            order.is_none(),
            "order",
            "it is not realtime's, and two orders of one queue are none: leave it out",
        ),
        (
            options.format != config.format,
            "format",
            "it is not realtime's, and a consumer would read two: leave it out",
        ),
    ];
    match wrong.into_iter().find(|(is_wrong, ..)| *is_wrong) {
        None => Ok(()),
        Some((_, field, why)) => Err(JobError::bad_request(format!(
            "{field}: not together with then live: {why}"
        ))),
    }
}

/// Checks what else is there: whether live changes can be held, and whether somebody else sends to that queue.
///
/// # Errors
/// [`JobError::BadRequest`] with the reason; the stores'.
pub(super) async fn check_others(
    ports: &Ports,
    options: &Options,
    active: &[JobId],
) -> Result<(), JobError> {
    if options.dry_run {
        return Ok(());
    }
    if options.then == Some(Then::Live) {
        let live = ports.live.as_ref().ok_or_else(|| {
            refused("the stack has no live table: deploy it with LiveOrder newest or exact")
        })?;
        if live.buffer_url.is_none() {
            return Err(refused(
                "changes go to realtime directly and cannot be held back for so long: deploy the stack \
                 with Ingestion buffered",
            ));
        }
        for id in active {
            let other = match ports.jobs.load(id).await {
                Err(JobStoreError::Unreadable { .. }) => continue,
                other => other?,
            };
            if other.is_some_and(|job| job.is_active() && job.sends_to(&options.target)) {
                return Err(refused(&format!(
                    "job {id} sends to the same queue: let it end, or cancel it"
                )));
            }
        }
    }
    check_hold(ports, None, options).await
}

/// Refuses what would be sent into another job's history.
///
/// # Errors
/// [`JobError::BadRequest`]; the live table's.
pub(super) async fn check_hold(
    ports: &Ports,
    job_id: Option<&JobId>,
    options: &Options,
) -> Result<(), JobError> {
    let Some(live) = ports.live.as_ref().filter(|_| !options.dry_run) else {
        return Ok(());
    };
    if live.queue != options.target {
        return Ok(());
    }
    let hold = live.stream.read().await?.hold;
    match hold.filter(|hold| job_id.is_none_or(|id| id.as_str() != hold.owner)) {
        None => Ok(()),
        Some(hold) => Err(JobError::bad_request(format!(
            "queueUrl: job {} sends this queue its history since {}, live changes follow, and nothing else may \
             come between: let it end, or cancel it",
            hold.owner, hold.since
        ))),
    }
}

fn refused(why: &str) -> JobError {
    JobError::bad_request(format!("then: found live, but {why}"))
}

#[cfg(test)]
mod tests {
    use bridge_core::timestamp::Timestamp;
    use serde_json::json;

    use crate::api::start::StartRequest;
    use crate::api::start::tests::config;

    #[test]
    fn what_realtime_does_not_do_is_refused_by_name_with_what_to_do() {
        for (field, value, why) in [
            ("prefix", json!("a/"), "all keys"),
            ("until", json!("2024-05-01T12:00:00Z"), "where live begins"),
            (
                "plan",
                json!("s3://plans/manifest.json"),
                "would be missing",
            ),
            ("events", json!("created"), "delete markers"),
            ("currentOnly", json!(true), "would be missing"),
            ("dryRun", json!(true), "nothing would be sent"),
            (
                "queueUrl",
                json!("https://sqs.x/1/q.fifo"),
                "the stack's queue",
            ),
            ("order", json!("bucket"), "two orders"),
            ("format", json!("s3"), "would read two"),
            ("then", json!("later"), "live"),
        ] {
            let mut request = json!({"then": "live"});
            request[field] = value;
            let read = serde_json::from_value::<StartRequest>(request);
            let error = match read {
                Err(error) => error.to_string(),
                Ok(start) => {
                    let refused = start.resolve(&config(), Timestamp(0)).unwrap_err();
                    let told = refused.to_string();
                    assert!(told.starts_with(&format!("{field}: ")), "{told}");
                    told
                }
            };
            assert!(error.contains(why), "{field}: {error}");
        }
        let request = json!({"then": "live", "maxRate": 5, "order": "key", "format": "bridge",
            "from": "2024-05-01T12:00:00Z"});
        let start: StartRequest = serde_json::from_value(request).unwrap();
        let now = Timestamp(1_800_000_000_000);
        let options = start.resolve(&config(), now).unwrap();
        assert_eq!(options.filter.until, None, "the bucket's clock tells it");
    }
}
