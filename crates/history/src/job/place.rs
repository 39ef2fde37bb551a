//! Where a job stands in the list of all jobs.

use std::fmt;

use bridge_core::timestamp::Timestamp;

use crate::id::JobId;
use crate::job::state::Job;

/// Where a job stands in the list: the newest first, of two of one moment the greater id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was started.
    pub created_at: Timestamp,
    /// Its id.
    pub job_id: JobId,
}

impl Place {
    /// A job's.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        Self {
            created_at: job.created_at,
            job_id: job.job_id.clone(),
        }
    }

    /// Whether it comes after `other` in the list; after nothing comes everything.
    #[must_use]
    pub fn is_behind(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| self < other)
    }

    /// Reads what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A time has at most 27 characters, years before 0 included.
        let (created_at, job_id) = text.split_once('/').filter(|(time, _)| time.len() <= 27)?;
        Some(Self {
            created_at: Timestamp::parse(created_at).ok()?,
            job_id: job_id.parse().ok()?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.created_at, self.job_id)
    }
}

/// The first of `places` in the order of the list, those behind `after`, at most `most`.
#[must_use]
pub fn first(mut places: Vec<Place>, after: Option<&Place>, most: usize) -> Vec<Place> {
    places.retain(|place| place.is_behind(after));
    places.sort_unstable_by(|a, b| b.cmp(a));
    places.dedup();
    places.truncate(most);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(millis: i64, job_id: &str) -> Place {
        Place {
            created_at: Timestamp(millis),
            job_id: job_id.parse().unwrap(),
        }
    }

    #[test]
    fn pages_in_a_row_hold_every_place_once_the_newest_first() {
        let places: Vec<_> = (0..10)
            .map(|n| place(n / 3, &format!("20240501-x-{n}")))
            .collect();
        let mut expected = places.clone();
        expected.sort_by(|a, b| b.cmp(a));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = first(places.clone(), after.as_ref(), 3);
            let Some(last) = page.last() else { break };
            after = Place::parse(&last.to_string());
            assert_eq!(after.as_ref(), Some(last), "{last}");
            seen.extend(page);
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_token_that_nobody_gave_is_none() {
        for text in [
            "",
            "/",
            "2024-05-01T12:00:00.000Z",
            "2024-05-01T12:00:00.000Z/",
            "2024-05-01T12:00:00.000Z/../x",
            "2024-05-01T12:00:00.00000000000Z/20240501-x-1",
            "soon/20240501-x-1",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        let long = format!("2024-05-01T12:00:00.000Z/{}", "x".repeat(65));
        assert_eq!(Place::parse(&long), None);
    }
}
