//! Of the functions.

use super::*;

#[test]
fn what_reseed_tells_of_itself_is_found() {
    use Level::{Unchecked, Wrong};
    for (check, level, place, told) in [
        ("bucket", Wrong, "/bucket/status", "AccessDenied"),
        ("versioning", Wrong, "/bucket/versioning", "suspended"),
        ("notifications", Wrong, "/bucket/notifications", "nobody"),
        (
            "notifications",
            Unchecked,
            "/bucket/notifications",
            "not checked: AccessDenied",
        ),
        ("reseed-queue", Wrong, "/queue/status", "AccessDenied"),
        ("reseed-sends", Wrong, "/queue/send", "AccessDenied"),
        ("jobs-index", Wrong, "/table/status", "AccessDenied"),
        ("jobs-read", Wrong, "/table/read", "AccessDenied"),
        ("jobs-write", Wrong, "/table/write", "AccessDenied"),
        (
            "continuation",
            Wrong,
            "/continuation/status",
            "AccessDenied",
        ),
        ("events", Wrong, "/events/status", "AccessDenied"),
        ("parking", Wrong, "/failureQueue/send", "AccessDenied"),
        ("plans", Wrong, "/plans/status", "AccessDenied"),
    ] {
        finds(check, level, |facts| {
            let health = facts.reseed.health.as_mut().unwrap();
            *health.pointer_mut(place).unwrap() = json!(told);
        });
    }
    finds("plans", Unchecked, |facts| facts.has_written = false);
    for (level, told) in [
        (Wrong, "listing b: AccessDenied"),
        (Unchecked, "not checked: no single bucket is named"),
    ] {
        finds("realtime-history", level, |facts| {
            facts.realtime.health.as_mut().unwrap()["history"] = json!(told);
        });
    }
}

#[test]
fn a_function_that_does_not_answer_says_what_to_do() {
    use Level::{Unchecked, Warning, Wrong};
    for (level, kind, message) in [
        (Wrong, "Runtime.InvalidEntrypoint", "exec format error"),
        (Wrong, "BadConfiguration", "ORDER: found \"x\""),
        (Wrong, "Unhealthy", "no queue"),
        (Wrong, "Sandbox.Timedout", "too long"),
        (Warning, "Held", "by a job"),
    ] {
        finds("realtime-health", level, |facts| {
            facts.realtime.health = failed(kind, message);
        });
    }
    for (level, code) in [
        (Unchecked, "AccessDeniedException"),
        (Wrong, "TooManyRequestsException"),
    ] {
        finds("realtime-health", level, |facts| {
            facts.realtime.health = Err(Unanswered::Request(RequestError {
                code: code.to_owned(),
                message: String::new(),
                kind: FailureKind::Permanent,
            }));
        });
    }
    finds("stopped-keys", Wrong, |facts| {
        facts.realtime.health = Ok(json!({ "status": "ok", "stoppedKeys": ["b/k"] }));
    });
}

#[test]
fn the_processor_is_what_an_unfit_program_is_told_of() {
    let mut facts = well();
    facts.realtime.health = failed("Runtime.InvalidEntrypoint", "fork/exec: exec format error");
    let findings = all(&facts);
    let found = findings
        .iter()
        .find(|found| found.check == "realtime-health");
    assert!(found.unwrap().advice.contains("cargo xtask architecture"));
}
