//! The command line against moto: delete markers listed apart from versions, whole seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::history::life::{Act, Life};
use e2e::history::replayed::{Ties, reseed};
use e2e::history::script::{ODD_KEYS, acts};
use e2e::history::{History, create_bucket};

/// How many acts each key has.
const ROUNDS: usize = 14;

/// Keys that moto 5.2 does not take or tell: it answers 404 to a newline, and lists a carriage return as it
/// is, which every reader of XML has to read as a newline.
const NOT_FOR_MOTO: [&str; 2] = ["line\nbreak", "carriage\rreturn"];

/// A client for the bucket's writer.
async fn client(endpoint: &str) -> aws_sdk_s3::Client {
    let config = bridge_aws::machine::load().await;
    let config = aws_sdk_s3::config::Builder::from(&config)
        .endpoint_url(endpoint)
        .force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// Waits until a second has just begun, so that what follows falls into it.
async fn next_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let left = 1_010 - u64::from(now.subsec_millis());
    tokio::time::sleep(Duration::from_millis(left)).await;
}

#[tokio::test]
async fn a_replay_is_the_history_that_was_written_as_far_as_moto_can_tell() {
    let endpoint = std::env::var("MOTO_ENDPOINT")
        .expect("this test needs moto: run it with `cargo xtask test`");
    let s3 = client(&endpoint).await;
    create_bucket(&s3, "markers-apart").await.unwrap();
    let keys = ODD_KEYS.iter().filter(|key| !NOT_FOR_MOTO.contains(key));
    let keys = keys.map(|key| (*key).to_owned());
    let keys = keys.chain((0..100).map(|number| format!("plain/{number}")));
    let mut lives: Vec<(Life, Vec<Act>)> = keys
        .zip(0..)
        .map(|(key, number)| (Life::new(&s3, "markers-apart", &key), acts(number, ROUNDS)))
        .collect();
    for (_, acts) in &mut lives {
        for act in acts {
            // moto's answer to the end of an upload is not what the SDK reads.
            if *act == Act::PutInParts {
                *act = Act::Put;
            }
        }
    }
    // Three of four rounds have a second of their own; the fourth shares the third's, key by key, so that
    // a machine that is busy does both within the second, too.
    for round in (0..ROUNDS).filter(|round| round % 4 != 3) {
        next_second().await;
        let end = if round % 4 == 2 { round + 2 } else { round + 1 };
        for (life, acts) in &mut lives {
            for act in &acts[round..end.min(ROUNDS)] {
                life.act(*act).await.unwrap();
            }
        }
    }
    let mut truth = History::default();
    for (life, _) in lives {
        truth.add(life);
    }
    next_second().await;

    let folder = tempfile::tempdir().unwrap();
    let mut first = None;
    for listers in [1, 64] {
        let replay = reseed(folder.path(), "markers-apart", listers, Some(&endpoint)).unwrap();
        let ambiguous = replay.compare(&truth, Ties::Unordered).unwrap();
        let told = &replay.report["planned"]["ambiguous"]["keys"];
        assert_eq!(
            told.as_u64(),
            Some(ambiguous as u64),
            "keys that cannot be told"
        );
        assert!(ambiguous > 0, "moto lists whole seconds");
        assert!(ambiguous < truth.keys.len(), "most seconds tell");
        assert!(truth.len() > 1_000, "a page is full");
        let replayed = replay.without_job();
        let same = *first.get_or_insert_with(|| replayed.clone()) == replayed;
        assert!(same, "{listers} listers");
    }
}
