//! Port `PlanStore`: runs and manifests as files of a directory.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_history::plan::store::{MOST_WHOLE, PlanError, PlanStore, Tag};
use bytes::Bytes;

use crate::{below, below_of_others, open_own, read_own, write_whole};

/// A directory of plans.
#[derive(Debug, Clone)]
pub struct LocalPlans {
    folder: PathBuf,
    /// Whether somebody else named what is in it.
    is_of_others: bool,
}

impl LocalPlans {
    /// Plans below `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            is_of_others: false,
        }
    }

    /// A plan that somebody else made: its files have any names below `folder`.
    #[must_use]
    pub fn of_others(folder: PathBuf) -> Self {
        Self {
            folder,
            is_of_others: true,
        }
    }

    /// Does file work where it delays nobody.
    async fn work<T: Send + 'static>(
        &self,
        doing: &'static str,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, PlanError> {
        let shown = self.folder.join(name).display().to_string();
        let (plans, name) = (self.clone(), name.to_owned());
        let work = move || {
            let parts = name.split('/');
            let path = if plans.is_of_others {
                below_of_others(&plans.folder, parts)
            } else {
                below(&plans.folder, parts)
            };
            work(&path?)
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
            .map_err(|error| PlanError::Store {
                doing,
                name: shown,
                reason: error.to_string(),
                kind: match error.kind() {
                    ErrorKind::Interrupted => FailureKind::Transient,
                    _ => FailureKind::Permanent,
                },
            })
    }
}

impl LocalPlans {
    /// Removes an object that is needed no more.
    ///
    /// # Errors
    /// [`PlanError::Store`]
    pub async fn remove(&self, name: &str) -> Result<(), PlanError> {
        self.work("removing", name, |path| std::fs::remove_file(path))
            .await
    }
}

#[async_trait]
impl PlanStore for LocalPlans {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.work("writing", name, move |path| write_whole(path, &bytes))
            .await
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        self.work("reading", name, move |path| {
            let Some(range) = range else {
                return read_own(path, MOST_WHOLE).map(Bytes::from);
            };
            read(&open_own(path, OpenOptions::new().read(true))?, &range)
        })
        .await
    }

    async fn tag(&self, name: &str) -> Result<Option<Tag>, PlanError> {
        self.work("reading", name, |path| {
            tag(&open_own(path, OpenOptions::new().read(true))?).map(Some)
        })
        .await
    }

    async fn get_tagged(
        &self,
        name: &str,
        range: Range<u64>,
        expected: &Tag,
    ) -> Result<Bytes, PlanError> {
        let expected = expected.clone();
        let bytes = self.work("reading", name, move |path| {
            let file = open_own(path, OpenOptions::new().read(true))?;
            if_still(&expected, &file, |file| read(file, &range))
        });
        let replaced = || PlanError::replaced(self.folder.join(name).display().to_string());
        bytes.await?.ok_or_else(replaced)
    }
}

/// As much of the range as there is, whatever a manifest says.
fn read(mut file: &File, range: &Range<u64>) -> io::Result<Bytes> {
    file.seek(SeekFrom::Start(range.start))?;
    // No more memory than there is to read: who asks has counted it.
    let length = range
        .end
        .min(file.metadata()?.len())
        .saturating_sub(range.start);
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    file.take(length).read_to_end(&mut bytes)?;
    Ok(Bytes::from(bytes))
}

/// What is read of a file, if it is still what it was when it had this tag: also behind the reading, since whoever writes
/// into it changes its time, too.
fn if_still<T>(
    expected: &Tag,
    file: &File,
    read: impl FnOnce(&File) -> io::Result<T>,
) -> io::Result<Option<T>> {
    let read = read(file)?;
    Ok((tag(file)? == *expected).then_some(read))
}

/// Another file has another one; so has this one once it has been written to. Not its device's number: that may be
/// another one after each start of the machine, over which a job goes on.
fn tag(file: &File) -> io::Result<Tag> {
    let about = file.metadata()?;
    Ok(Tag(format!(
        "{}-{}-{}.{:09}",
        about.ino(),
        about.len(),
        about.mtime(),
        about.mtime_nsec()
    )))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[tokio::test]
    async fn a_name_leads_nowhere_but_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir_all(state.join("jobs")).unwrap();
        std::fs::write(folder.path().join("precious"), "not ours").unwrap();
        std::os::unix::fs::symlink(folder.path(), state.join("jobs/link")).unwrap();
        let own = LocalPlans::new(state.clone());
        let of_others = LocalPlans::of_others(state);
        let absolute = folder.path().join("precious").display().to_string();
        for name in [
            "../precious",
            "jobs/../../precious",
            "jobs/link/precious",
            &absolute,
            "",
            "jobs//x",
        ] {
            for plans in [&own, &of_others] {
                let put = plans.put(name, Bytes::from_static(b"x")).await;
                let read = plans.get(name, None).await;
                assert!(put.is_err() && read.is_err(), "{name:?}");
            }
        }
        let kept = std::fs::read_to_string(absolute).unwrap();
        assert_eq!(kept, "not ours");
    }

    #[tokio::test]
    async fn a_file_that_was_exchanged_or_written_to_is_not_the_one_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let plans = &LocalPlans::new(folder.path().to_owned());
        let path = folder.path().join("run");
        std::fs::write(&path, "one").unwrap();
        let tag = plans.tag("run").await.unwrap().unwrap();
        let read = |tag: Tag| async move { plans.get_tagged("run", 0..3, &tag).await };
        assert_eq!(read(tag.clone()).await.unwrap(), "one");
        // Of the same length and time, and another file.
        let time = std::fs::metadata(&path).unwrap().modified().unwrap();
        let other = folder.path().join("other");
        std::fs::write(&other, "two").unwrap();
        File::open(&other).unwrap().set_modified(time).unwrap();
        std::fs::rename(&other, &path).unwrap();
        let error = read(tag).await.unwrap_err().to_string();
        assert!(error.contains("run: it was replaced"), "{error}");
    }

    #[test]
    fn a_file_that_is_written_to_while_it_is_read_is_not_the_one_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        std::fs::write(&path, "one").unwrap();
        let file = File::open(&path).unwrap();
        // Long ago: what is written in the same instant has the same time.
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1))
            .unwrap();
        let tag = tag(&file).unwrap();
        assert_eq!(
            if_still(&tag, &file, |file| read(file, &(0..3)))
                .unwrap()
                .unwrap(),
            "one"
        );
        let while_written_to = |file: &File| {
            let bytes = read(file, &(0..3));
            std::fs::write(&path, "two").and(bytes)
        };
        assert_eq!(if_still(&tag, &file, while_written_to).unwrap(), None);
    }
}
