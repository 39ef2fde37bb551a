//! A plan from elsewhere, looked at when a job is asked to send it: what can be known to be wrong within seconds is
//! refused then.

use std::sync::Arc;
use std::time::Duration;

use bridge_core::failure::Failure as _;
use bridge_core::retry::{Backoff, Retry};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::job::error::JobError;
use crate::job::options::Options;
use crate::job::ports::Ports;
use crate::plan::elsewhere::Elsewhere;
use crate::plan::elsewhere::footers::inspect_all;
use crate::plan::elsewhere::place::PlanSource;
use crate::plan::manifest::Run;
use crate::plan::retried::Retried;
use crate::plan::store::{PlanError, PlanStore};

/// Runs whose footers are read at the start, at most; those of the others are read before their rows are.
const MOST_INSPECTED: usize = 1_000;

/// A store that fails is asked again for so long.
const RETRY_TIMEOUT: Duration = Duration::from_secs(5);

/// All of it takes no longer.
const LOOK: Duration = Duration::from_mins(1);

/// Looks at the plan that a job of `bucket` is to send, and notes which one it is.
///
/// # Errors
/// [`JobError::BadRequest`] with what is wrong and what to do; [`JobError::Plan`] for what may pass.
pub(super) async fn check(
    ports: &Ports,
    bucket: &str,
    options: &mut Options,
) -> Result<(), JobError> {
    let Some(source) = &mut options.plan else {
        return Ok(());
    };
    let (folder, name) = source.parts();
    let elsewhere = ports.elsewhere.as_ref();
    let store = elsewhere.and_then(|elsewhere| elsewhere.open(folder));
    let store = store.ok_or_else(|| {
        JobError::bad_request(format!(
            "plan: found {:?}, allowed is one in S3, like s3://bucket/prefix/manifest.json",
            source.uri
        ))
    })?;
    let retry = Retry {
        backoff: Backoff::default(),
        retry_timeout: RETRY_TIMEOUT,
        stop: CancellationToken::new(),
    };
    let seed = ports.clock.now().0.cast_unsigned();
    let random = fastrand::Rng::with_seed(seed);
    let store: Arc<dyn PlanStore> = Arc::new(Retried::new(store, retry, random));
    let looking = async {
        let plan = Elsewhere::load(&*store, name, bucket).await?;
        inspect_all(&store, &spread(&plan.runs)).await?;
        Ok(plan)
    };
    let plan = timeout(LOOK, looking).await.map_err(|_| {
        let seconds = LOOK.as_secs();
        JobError::BadRequest(format!(
            "plan: {} could not be looked at within {seconds} s",
            source.uri
        ))
    })?;
    let plan = plan.map_err(|error: PlanError| refused(source, error))?;
    let ambiguous = &plan.summary.ambiguous;
    if options.refuse_ambiguous && !ambiguous.is_none() {
        return Err(JobError::bad_request(format!(
            "plan: the order of {} keys is a guess, says its manifest (the first is {:?}): without refuseAmbiguous \
             they are sent so",
            ambiguous.keys, ambiguous.first
        )));
    }
    source.digest = plan.digest;
    Ok(())
}

/// Up to so many of the runs that more cost too much time, evenly, the first and the last among them.
fn spread(runs: &[Run]) -> Vec<&Run> {
    let most = runs.len().min(MOST_INSPECTED);
    let last = runs.len().saturating_sub(1);
    (0..most)
        .map(|number| &runs[number * last / (most - 1).max(1)])
        .collect()
}

fn refused(source: &PlanSource, mut error: PlanError) -> JobError {
    if error.may_pass() {
        return JobError::Plan(error);
    }
    let (folder, _) = source.parts();
    if let PlanError::Damaged { name, .. } | PlanError::Refused { name, .. } = &mut error {
        *name = format!("{folder}/{name}");
    }
    JobError::bad_request(format!("plan: {error}"))
}

#[cfg(test)]
mod tests {
    use bridge_core::timestamp::Timestamp;

    use super::*;
    use crate::plan::position::Position;

    #[test]
    fn of_many_runs_the_first_the_last_and_those_between_are_looked_at() {
        let at = Position {
            effective_time: Timestamp(0),
            key: String::new(),
            rank: 0,
        };
        let run = |number: usize| {
            let json = serde_json::json!({
                "name": number.to_string(), "rows": 1, "bytes": 1, "first": at, "last": at,
            });
            serde_json::from_value::<Run>(json).unwrap()
        };
        for (runs, looked_at) in [(0, 0), (1, 1), (2, 2), (1_000, 1_000), (10_000, 1_000)] {
            let runs: Vec<_> = (0..runs).map(run).collect();
            let found = spread(&runs);
            assert_eq!(found.len(), looked_at);
            assert_eq!(
                found.first().map(|run| &run.name),
                runs.first().map(|run| &run.name)
            );
            assert_eq!(
                found.last().map(|run| &run.name),
                runs.last().map(|run| &run.name)
            );
            let mut names: Vec<_> = found.iter().map(|run| &run.name).collect();
            names.dedup();
            assert_eq!(names.len(), looked_at, "none twice");
        }
    }
}
