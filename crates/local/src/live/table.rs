//! The live table in its file.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use bridge_core::live::newest::GRACE;
use bridge_core::live::store::LiveStoreError;
use tokio::time::Instant;

use crate::live::database::{Database, NAME, Tables, refused};
use crate::live::item::Item;
use crate::{new_file, open_own};

/// A live table in a directory, which belongs to this process ([`crate::state::StateDirectory`]).
#[derive(Clone)]
pub struct LocalLive {
    pub(super) database: Arc<Database>,
    /// Which process this is: different each time that the table is opened.
    pub(super) process: u64,
    opened: Instant,
}

/// Why the table cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("opening the live table {path}: {reason}")]
pub struct OpenError {
    /// The file.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl LocalLive {
    /// The table in `folder`; it is made if it is not there.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(NAME);
        let failed = |reason: &dyn std::fmt::Display| OpenError {
            path: path.display().to_string(),
            reason: reason.to_string(),
        };
        let file = match new_file(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                open_own(&path, OpenOptions::new().read(true).write(true))
            }
            made => made,
        };
        let file = file.map_err(|error| failed(&error))?;
        let database = Database::open(file).map_err(|error| failed(&error))?;
        Ok(Self {
            database: Arc::new(database),
            process: fastrand::u64(1..),
            opened: Instant::now(),
        })
    }

    /// Whether it takes anything: something is written for it.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    pub async fn check(&self) -> Result<(), LiveStoreError> {
        self.database.check().await
    }

    /// Closes its file, so that the next process has nothing to repair: an end of the process alone does not wait for that.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Reads a key's item, or an empty one, changes it, and keeps it if that succeeds.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        key: String,
        change: impl FnOnce(&mut Item) -> Result<T, LiveStoreError> + Send + 'static,
    ) -> Result<T, LiveStoreError> {
        // Who claimed before it was opened is dead. What such a process sent last has arrived by now, whatever the end of
        // its claim says: it is by a clock that may have been set back since.
        let process = (self.opened.elapsed() >= GRACE).then_some(self.process);
        let work = move |tables: &mut Tables<'_>| {
            let mut item = match tables.key(&key)? {
                Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| refused(&error))?,
                None => Item::default(),
            };
            if let Some(process) = process {
                item.end_claim_of_others(process);
            }
            let before = item.expires;
            let done = change(&mut item)?;
            let bytes = serde_json::to_vec(&item).map_err(|error| refused(&error))?;
            tables.put_key(&key, &bytes, (before, item.expires))?;
            Ok(done)
        };
        self.database.write(work).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use bridge_core::live::exact::store::{self as keys, KeyClaim};
    use bridge_core::live::place::{Intent, Place};
    use bridge_core::live::store::{Claim, LiveStore, Return};
    use bridge_core::timestamp::Timestamp;

    use super::*;

    /// Milliseconds in the year 2100.
    const LATER: i64 = 4_102_444_800_000;

    fn claim(key: &str, owner: &str) -> Claim {
        Claim {
            key: key.to_owned(),
            owner: owner.to_owned(),
            intent: Intent::default(),
            until: Timestamp(1_500),
            expires: Timestamp(LATER),
        }
    }

    async fn send(table: &LocalLive, key: &str, expires: i64) {
        let found = table.claim(&claim(key, "a"), Timestamp(1_000)).await;
        let done = Return {
            key: key.to_owned(),
            owner: "a".to_owned(),
            revision: found.unwrap().revision,
            place: Place {
                sent: Some("05".to_owned()),
                ..Place::default()
            },
            expires: Timestamp(expires),
        };
        table.give_back(&done).await.unwrap();
    }

    async fn sent(table: &LocalLive, key: &str) -> Option<String> {
        let found = table.claim(&claim(key, "b"), Timestamp(1_000)).await;
        found.unwrap().place.sent
    }

    #[tokio::test]
    async fn places_outlive_the_process_and_not_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let table = LocalLive::open(folder.path()).unwrap();
        send(&table, "b/kept", LATER).await;
        // Long ago: it is forgotten with the next transaction.
        send(&table, "b/expired", 1_000).await;
        assert_eq!(sent(&table, "b/expired").await, None);
        let again = open_again(folder.path(), table).await;
        assert_eq!(sent(&again, "b/kept").await.as_deref(), Some("05"));
    }

    /// The table as the next process opens it.
    async fn open_again(folder: &Path, before: LocalLive) -> LocalLive {
        before.close().await;
        drop(before);
        // The thread of the first lets go of the file when it has nothing more to do.
        loop {
            match LocalLive::open(folder) {
                Ok(table) => return table,
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        }
    }

    /// As after a kill, and a clock that was set back by an hour.
    #[tokio::test(start_paused = true)]
    async fn a_claim_of_a_process_that_is_gone_ends_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let (then, now) = (Timestamp(3_600_000), Timestamp(0));
        let until = then + GRACE;
        let table = LocalLive::open(folder.path()).unwrap();
        let mut of_dead = claim("b/k", "dead");
        of_dead.until = until;
        of_dead.intent.newest = Some("07".to_owned());
        table.claim(&of_dead, then).await.unwrap();
        let key = |owner: &str, until| KeyClaim {
            key: "b/exact".to_owned(),
            owner: owner.to_owned(),
            until,
            expires: Timestamp(LATER),
        };
        let claimed = keys::KeyStore::claim(&table, &key("dead", until), then).await;
        claimed.unwrap();

        let table = open_again(folder.path(), table).await;
        let own = table.claim(&claim("b/own", "a"), now).await;
        own.unwrap();
        let of_next = claim("b/k", "next");
        let held = table.claim(&of_next, now).await;
        assert_eq!(held, Err(LiveStoreError::Held), "its last may arrive yet");
        tokio::time::advance(GRACE).await;
        let claimed = table.claim(&of_next, now).await.unwrap();
        assert_eq!(claimed.place.intents, ["07"], "what it meant to send stays");
        let of_next = key("next", Timestamp(1_000));
        let claimed = keys::KeyStore::claim(&table, &of_next, now).await.unwrap();
        assert!(claimed.was_left);
        let own = table.claim(&claim("b/own", "b"), now).await;
        assert_eq!(own, Err(LiveStoreError::Held), "who has it lives");
    }

    /// Whether the file would have to be repaired by who opens it.
    fn needs_repair(folder: &Path) -> bool {
        let copy = folder.join("copy.redb");
        std::fs::copy(folder.join(NAME), &copy).unwrap();
        let repairs = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&repairs);
        let mut builder = redb::Builder::new();
        builder.set_repair_callback(move |_| told.store(true, Ordering::Relaxed));
        builder.open(&copy).unwrap();
        repairs.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_table_that_is_closed_needs_no_repair_and_takes_more() {
        let folder = tempfile::tempdir().unwrap();
        let table = LocalLive::open(folder.path()).unwrap();
        for round in ["first", "second"] {
            send(&table, round, LATER).await;
            assert!(needs_repair(folder.path()), "{round}: it is open");
            table.close().await;
            assert!(!needs_repair(folder.path()), "{round}: it is closed");
        }
        assert_eq!(sent(&table, "first").await.as_deref(), Some("05"));
    }

    #[tokio::test]
    async fn calls_at_the_same_time_get_the_key_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let table = LocalLive::open(folder.path()).unwrap();
        let calls = (0..200).map(|number| {
            let (table, owner) = (table.clone(), number.to_string());
            tokio::spawn(async move {
                let claimed = table.claim(&claim("b/k", &owner), Timestamp(1_000)).await;
                claimed.is_ok()
            })
        });
        let mut holders = 0;
        for call in calls.collect::<Vec<_>>() {
            holders += usize::from(call.await.unwrap());
        }
        assert_eq!(holders, 1);
    }

    #[test]
    fn a_file_that_is_a_link_or_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let refused = || LocalLive::open(folder.path()).err().unwrap().to_string();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(refused().contains("symbolic link"));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "not ours").unwrap();
        assert!(refused().contains("live.redb"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "not ours");
    }
}
