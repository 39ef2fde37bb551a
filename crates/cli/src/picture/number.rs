//! How figures and times of a page are written, besides [`crate::numbers`].

use bridge_core::timestamp::Timestamp;
use indicatif::BinaryBytes;

/// `1.50 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    BinaryBytes(number).to_string()
}

/// US dollars: `$12.34`, below one `$0.0501`.
pub(crate) fn dollars(amount: f64) -> String {
    if amount >= 1.0 || amount == 0.0 {
        format!("${amount:.2}")
    } else if amount < 0.0001 {
        "below $0.0001".to_owned()
    } else {
        format!("${amount:.4}")
    }
}

/// A time without what is finer than a second, UTC: `2024-05-01 12:00:00`.
pub(crate) fn second(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..19).unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_units() {
        assert_eq!(bytes(1_572_864), "1.50 MiB");
        let money = [0.0, 0.000_01, 0.0501, 1.0, 12.345].map(dollars);
        assert_eq!(
            money,
            ["$0.00", "below $0.0001", "$0.0501", "$1.00", "$12.35"]
        );
    }
}
