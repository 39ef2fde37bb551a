//! The queue and its failure queue, as a job opens them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bridge_core::queue::port::Queue;
use bridge_history::id::JobId;
use bridge_history::job::ports::Queues;

use crate::parking::OfParking;
use crate::queue::{OfSegment, SimQueue};

/// One queue, whatever the URL. Each segment opens it once.
pub struct OneQueue(pub Arc<SimQueue>);

impl Queues for OneQueue {
    fn open(&self, _url: &str) -> Arc<dyn Queue> {
        Arc::new(OfSegment {
            queue: Arc::clone(&self.0),
            segment: self.0.segments.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// For the segment that opened the queue last.
    fn parking(&self, _job_id: Option<&JobId>) -> Option<Arc<dyn Queue>> {
        Some(Arc::new(OfParking {
            queue: Arc::clone(&self.0),
            segment: self.0.segments.load(Ordering::Relaxed).saturating_sub(1),
        }))
    }
}
