//! What an invocation reports its events' lags.

/// Values of one metric that a line in `CloudWatch`'s embedded format may hold. The library beneath
/// keeps the first so many and logs an error line for each one more.
/// Source: Amazon `CloudWatch` User Guide, "Specification: Embedded metric format".
const MOST: usize = 100;

/// The lags themselves, or of more than [`MOST`] so many from the least to the greatest, evenly
/// spread over their order: the same extremes, and about the same percentiles.
pub(super) fn told(mut lags: Vec<i64>) -> Vec<i64> {
    lags.sort_unstable();
    if lags.len() <= MOST {
        return lags;
    }
    let last = lags.len() - 1;
    (0..MOST).map(|n| lags[n * last / (MOST - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_values_tell_of_ten_thousand() {
        let lags = told((0..10_000).rev().collect());
        assert_eq!(lags.len(), 100);
        assert_eq!((lags[0], lags[99]), (0, 9_999));
        assert!((4_900..5_100).contains(&lags[50]), "{lags:?}");
        assert_eq!(told(vec![3, 1, 2]), [1, 2, 3]);
        assert_eq!(told(vec![]), Vec::<i64>::new());
    }
}
