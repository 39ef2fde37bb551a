//! What becomes of the lines of a copy.

use serde_json::Value;

fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// A consumer that was away for three hours, for one prefix altogether, and was told again what came behind that;
/// and a little of all else.
pub(crate) fn outage(lines: Vec<String>) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(5);
    let mut kept = Vec::new();
    let (mut again, mut older) = (Vec::new(), Vec::new());
    for line in lines {
        let mut event = event(&line);
        let time = event["eventTime"].as_str().unwrap().to_owned();
        let key = event["key"].as_str().unwrap().to_owned();
        let is_away = ("2023-10-30T09".."2023-10-30T12").contains(&&*time);
        if is_away && (key.starts_with("orders/eu/") || random.u32(..10) < 3) {
            continue;
        }
        if ("2023-10-30T12".."2023-10-30T17").contains(&&*time) && random.u32(..10) < 4 {
            again.push(line.clone());
        }
        if event["isLatest"] == false && random.u32(..100) == 0 {
            older.push(line);
            continue;
        }
        if key.starts_with("logs/") && time.starts_with("2023-10-28") {
            event["size"] = 0.into();
            kept.push(event.to_string());
            continue;
        }
        if random.u32(..300) == 0 {
            event["versionId"] = format!("made-up-{}", kept.len()).into();
            kept.push(event.to_string());
        }
        kept.push(line);
    }
    kept.extend(again);
    // Behind all that is newer.
    kept.extend(older);
    kept.push("{\"key\":\"orders/eu/00".to_owned());
    kept
}

/// Half of it is gone, and the rest altered, late, repeated or made up in every way, with texts as an enemy has them.
pub(crate) fn enemy(lines: Vec<String>) -> Vec<String> {
    let mut kept = vec!["<script>document.title='run'</script>".repeat(9)];
    let half = lines.iter().skip(1).step_by(2);
    kept.extend(half.clone().cloned());
    kept.extend(half.clone().take(1).cloned());
    for (at, line) in half.enumerate() {
        let mut event = event(line);
        event["eTag"] = "</td><img src=x>".repeat(30).into();
        kept.push(event.to_string());
        event["versionId"] = format!(
            "</table><h1 style=\"width:4000px\">{at}\u{202e}{}",
            "W".repeat(600)
        )
        .into();
        event["key"] = format!("{}/{at}", "<b>W".repeat(100)).into();
        kept.push(event.to_string());
        event["eventTime"] = "9999-06-30T00:00:00Z".into();
        event["key"] = "\u{1b}[2J/far".into();
        kept.push(event.to_string());
    }
    kept.reverse();
    kept
}
