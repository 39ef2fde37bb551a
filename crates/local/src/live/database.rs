//! The file, and the one thread that writes it. Whatever waits is written in one transaction and costs one wait for the
//! disk, so that a thousand claims a second cost no more of them than the disk has.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::failure::FailureKind;
use bridge_core::live::store::LiveStoreError;
use redb::backends::FileBackend;
use redb::{Builder, ReadableTable as _, Table, TableDefinition, WriteTransaction};
use tokio::sync::oneshot;

/// The file's name.
pub(super) const NAME: &str = "live.redb";

/// What is kept of a key, by `bucket/key`.
const KEYS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("keys");

/// When a key may be forgotten, seconds since 1970.
const EXPIRIES: TableDefinition<'_, (i64, &str), ()> = TableDefinition::new("expiries");

/// What all keys share.
const SHARED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("shared");

/// Calls that share a transaction, at most.
const MOST_TOGETHER: usize = 512;

/// Keys that are forgotten in one transaction, at most.
const MOST_FORGOTTEN: usize = 64;

/// Bytes of the file that are kept in memory.
const CACHE: usize = 32 * 1024 * 1024;

/// The name of what is written to see whether anything can be.
const CHECKED: &str = "checked";

/// What the thread is asked for.
enum Asking {
    Call(Box<dyn Call>),
    /// To close the file, and answer then.
    Close(oneshot::Sender<()>),
}

/// A database that is open.
pub(super) struct Database {
    calls: Sender<Asking>,
    has_failed: Arc<AtomicBool>,
}

/// Who writes.
struct Writer {
    file: File,
    /// `None` after a fault of the disk, and when it is closed.
    database: Option<redb::Database>,
    /// Whether the last transaction failed.
    has_failed: Arc<AtomicBool>,
}

/// The tables, in a transaction.
pub(super) struct Tables<'t> {
    keys: Table<'t, &'static str, &'static [u8]>,
    expiries: Table<'t, (i64, &'static str), ()>,
    shared: Table<'t, &'static str, &'static [u8]>,
}

/// Something that is done in a transaction, and answered when that has ended.
trait Call: Send {
    fn work(&mut self, tables: &mut Tables<'_>);

    /// `failed`: why nothing of the transaction is written.
    fn answer(self: Box<Self>, failed: Option<&LiveStoreError>);
}

struct Asked<T, F> {
    work: Option<F>,
    done: Option<Result<T, LiveStoreError>>,
    back: oneshot::Sender<Result<T, LiveStoreError>>,
}

impl<T, F> Call for Asked<T, F>
where
    T: Send,
    F: FnOnce(&mut Tables<'_>) -> Result<T, LiveStoreError> + Send,
{
    fn work(&mut self, tables: &mut Tables<'_>) {
        self.done = self.work.take().map(|work| work(tables));
    }

    fn answer(self: Box<Self>, failed: Option<&LiveStoreError>) {
        let done = match (failed, self.done) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(done)) => done,
            (None, None) => Err(refused(&"the transaction ended too early")),
        };
        // Who does not wait any more has given it up.
        let _ = self.back.send(done);
    }
}

impl Database {
    /// The database in a file, which may be empty.
    ///
    /// # Errors
    /// When the file is no database, or belongs to another process.
    pub(super) fn open(file: File) -> Result<Self, redb::Error> {
        let has_failed = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            database: Some(open(&file)?),
            file,
            has_failed: Arc::clone(&has_failed),
        };
        let (calls, waiting) = channel();
        std::thread::Builder::new()
            .name("live-table".to_owned())
            .spawn(move || writer.write_on(&waiting))
            .map_err(redb::Error::Io)?;
        Ok(Self { calls, has_failed })
    }

    /// Whether the last transaction failed.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// Writes something, to see whether anything can be written.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    pub(super) async fn check(&self) -> Result<(), LiveStoreError> {
        self.write(|tables| tables.put_shared(CHECKED, &[])).await
    }

    /// Does `work` in a transaction, and answers once that is on the disk. An error of its own keeps nothing back: what it
    /// wrote before is written.
    ///
    /// # Errors
    /// The work's; [`LiveStoreError::Store`], after which it may or may not be written.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, LiveStoreError> + Send + 'static,
    ) -> Result<T, LiveStoreError> {
        let (back, answer) = oneshot::channel();
        let call = Box::new(Asked {
            work: Some(work),
            done: None,
            back,
        });
        let gone = || refused(&"its thread has ended");
        self.calls.send(Asking::Call(call)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Closes the file, whoever else has this database: the next who opens it has nothing to repair. What is written later
    /// opens it again.
    pub(super) async fn close(&self) {
        let (back, answer) = oneshot::channel();
        if self.calls.send(Asking::Close(back)).is_ok() {
            // Its thread may have ended, and closed it.
            let _ = answer.await;
        }
    }
}

/// The database in a file, with its tables.
fn open(file: &File) -> Result<redb::Database, redb::Error> {
    let database = Builder::new()
        .set_cache_size(CACHE)
        .create_with_backend(FileBackend::new(file.try_clone()?)?)?;
    let first = database.begin_write()?;
    drop(Tables::open(&first)?);
    first.commit()?;
    Ok(database)
}

impl Writer {
    /// Writes until nobody is left who could ask.
    fn write_on(mut self, waiting: &Receiver<Asking>) {
        while let Ok(first) = waiting.recv() {
            let (mut calls, mut closing) = (Vec::new(), Vec::new());
            let more = waiting.try_iter().take(MOST_TOGETHER - 1);
            for asking in std::iter::once(first).chain(more) {
                match asking {
                    Asking::Call(call) => calls.push(call),
                    Asking::Close(back) => closing.push(back),
                }
            }
            self.answer(calls);
            for back in closing {
                self.database = None;
                let _ = back.send(());
            }
        }
    }

    /// Does them in one transaction.
    fn answer(&mut self, mut calls: Vec<Box<dyn Call>>) {
        if calls.is_empty() {
            return;
        }
        let failed = self.write(&mut calls).err();
        self.has_failed.store(failed.is_some(), Ordering::Release);
        let failed = failed.map(|error| refused(&error));
        for call in calls {
            call.answer(failed.as_ref());
        }
    }

    /// After a fault of the disk redb does nothing more with a file that is open: it is opened again for the next
    /// transaction, as it was after the last one that did not fail, or after the one that did.
    fn write(&mut self, calls: &mut [Box<dyn Call>]) -> Result<(), redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.file)?,
        };
        write(&database, calls)?;
        self.database = Some(database);
        Ok(())
    }
}

fn write(database: &redb::Database, calls: &mut [Box<dyn Call>]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction)?;
    for call in calls {
        call.work(&mut tables);
    }
    tables.forget(SystemClock.now().0 / 1000)?;
    drop(tables);
    transaction.commit()?;
    Ok(())
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            keys: transaction.open_table(KEYS)?,
            expiries: transaction.open_table(EXPIRIES)?,
            shared: transaction.open_table(SHARED)?,
        })
    }

    /// What is kept of a key.
    pub(super) fn key(&self, key: &str) -> Result<Option<Vec<u8>>, LiveStoreError> {
        let found = self.keys.get(key).map_err(|error| refused(&error))?;
        Ok(found.map(|found| found.value().to_vec()))
    }

    /// Keeps it, until `expires` (seconds since 1970), where it was kept until `before`.
    pub(super) fn put_key(
        &mut self,
        key: &str,
        bytes: &[u8],
        (before, expires): (i64, i64),
    ) -> Result<(), LiveStoreError> {
        let mut put = || -> Result<(), redb::StorageError> {
            self.expiries.remove((before, key))?;
            self.expiries.insert((expires, key), ())?;
            self.keys.insert(key, bytes)?;
            Ok(())
        };
        put().map_err(|error| refused(&error))
    }

    /// Something that all keys share.
    pub(super) fn shared(&self, name: &str) -> Result<Option<Vec<u8>>, LiveStoreError> {
        let found = self.shared.get(name).map_err(|error| refused(&error))?;
        Ok(found.map(|found| found.value().to_vec()))
    }

    /// Keeps it.
    pub(super) fn put_shared(&mut self, name: &str, bytes: &[u8]) -> Result<(), LiveStoreError> {
        let put = self.shared.insert(name, bytes);
        put.map(|_| ()).map_err(|error| refused(&error))
    }

    /// Forgets some of the keys that have expired.
    fn forget(&mut self, now: i64) -> Result<(), redb::StorageError> {
        let mut expired = Vec::new();
        for found in self
            .expiries
            .range((i64::MIN, "")..(now, ""))?
            .take(MOST_FORGOTTEN)
        {
            let (found, _) = found?;
            let (at, key) = found.value();
            expired.push((at, key.to_owned()));
        }
        for (at, key) in expired {
            self.expiries.remove((at, key.as_str()))?;
            self.keys.remove(key.as_str())?;
        }
        Ok(())
    }
}

/// The table's refusal, whatever refused it.
pub(super) fn refused(reason: &dyn std::fmt::Display) -> LiveStoreError {
    LiveStoreError::Store {
        reason: format!("the file {NAME}: {reason}"),
        kind: FailureKind::Transient,
    }
}
