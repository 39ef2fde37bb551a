//! That each part of a policy is needed, or is not the program's.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::Future;

use infra::resources::PolicyDocument;

use super::grant::{Grant, grants, without};
use super::judge::Decision;

/// What came of a run.
pub struct Tried {
    /// Why it failed.
    pub failed: Option<String>,
    /// What was asked for.
    pub asked: Vec<Decision>,
}

/// A part of a policy that no run asks for, and why: its statement and its actions.
pub type NotAsked = (&'static str, &'static [&'static str], &'static str);

/// Runs everything under the whole policy, and for each part that was asked for, a run that asked for it without that part.
/// Prints a table; what is wrong is told.
///
/// `attempt` runs one of `runs` under a policy. All must succeed under the whole one. Without a part, one of the runs that
/// asked for it must fail, and the part must have been refused. A part that nobody asks for must be in `not_asked`, all of
/// which must be such parts.
pub async fn prove<R, F>(
    policy: &PolicyDocument,
    runs: &[R],
    not_asked: &[NotAsked],
    attempt: impl Fn(R, PolicyDocument) -> F,
) -> Vec<String>
where
    R: Copy + std::fmt::Debug,
    F: Future<Output = Tried>,
{
    let mut wrong = Vec::new();
    let mut whole = Vec::new();
    for run in runs {
        let tried = attempt(*run, policy.clone()).await;
        if let Some(reason) = &tried.failed {
            wrong.push(format!("{run:?} fails under the whole policy: {reason}"));
        }
        let refused = tried.asked.iter().filter(|asked| !asked.allowed);
        for asked in refused {
            let (action, resource) = (&asked.action, &asked.resource);
            wrong.push(format!("{run:?} may not {action} on {resource}"));
        }
        whole.push((*run, tried.asked));
    }
    let mut table = String::new();
    let mut unused: BTreeSet<(&str, &str)> = not_asked
        .iter()
        .flat_map(|(sid, actions, _)| actions.iter().map(|action| (*sid, *action)))
        .collect();
    let parts = grants(policy);
    for grant in &parts {
        let Grant {
            sid,
            action,
            resource,
        } = grant;
        unused.remove(&(sid.as_str(), action.as_str()));
        let excuse = not_asked
            .iter()
            .find(|(of, actions, _)| of == sid && actions.contains(&action.as_str()));
        let asks = whole
            .iter()
            .filter(|(_, asked)| asked.iter().any(|a| grant.covers(a)));
        let asks: Vec<R> = asks.map(|(run, _)| *run).collect();
        let told = match (asks.is_empty(), excuse) {
            (true, None) => Err(format!("nothing asks for {action} on {resource}")),
            (true, Some((_, _, reason))) => Ok(format!("not asked for: {reason}")),
            (false, Some(_)) => Err(format!(
                "{asks:?} ask for {action} on {resource}, which is listed as not asked for"
            )),
            (false, None) => fails(policy, grant, &asks, &attempt).await,
        };
        let told = told.unwrap_or_else(|error| {
            wrong.push(format!("{sid}: {error}"));
            format!("WRONG: {error}")
        });
        let on = resource.rsplit([':', '/']).find(|part| *part != "*");
        let _ = writeln!(
            table,
            "{sid:<12} {action:<32} {:<24} {told}",
            on.unwrap_or("*")
        );
    }
    for (sid, action) in unused {
        wrong.push(format!(
            "{sid} {action} is listed as not asked for, and not in the policy"
        ));
    }
    println!("{table}");
    wrong
}

/// The first of the runs that fails without a part of the policy, because that was refused, and how.
async fn fails<R, F>(
    policy: &PolicyDocument,
    grant: &Grant,
    runs: &[R],
    attempt: impl Fn(R, PolicyDocument) -> F,
) -> Result<String, String>
where
    R: Copy + std::fmt::Debug,
    F: Future<Output = Tried>,
{
    for run in runs {
        let tried = attempt(*run, without(policy, grant)).await;
        let is_refused = tried.asked.iter().any(|a| !a.allowed && grant.covers(a));
        match tried.failed {
            Some(reason) if is_refused => return Ok(format!("{run:?} fails: {}", brief(&reason))),
            Some(reason) => return Err(format!("{run:?} fails of something else: {reason}")),
            None => {}
        }
    }
    let Grant {
        action, resource, ..
    } = grant;
    Err(format!("{runs:?} succeed without {action} on {resource}"))
}

/// A reason on one line, from a bit before what was denied.
fn brief(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let denied = line.find("AccessDenied").unwrap_or(0);
    let before = line[..denied].chars().count().saturating_sub(60);
    line.chars().skip(before).take(150).collect()
}
