//! A copy of a far entry, as it is written near.

use super::epochs::Epoch;
use countersign::Bytes;
use std::time::Duration;

/// What was read, in which epoch, and until when it may serve, by the cache's monotonic clock.
///
/// The end is written down because the near store may go by a clock that is put back.
pub(super) struct Copy {
    pub(super) epoch: Epoch,
    pub(super) until: Duration,
    pub(super) value: Bytes,
}

impl Copy {
    pub(super) fn encode(&self) -> Bytes {
        let (epoch, until) = (self.epoch.0.to_be_bytes(), self.until.as_nanos().to_be_bytes());
        Bytes::from([&epoch[..], &until, &self.value].concat())
    }

    /// The value, if it may serve in this epoch at this time; anything else is no copy.
    pub(super) fn decode(copy: &Bytes, epoch: Epoch, now: Duration) -> Option<Bytes> {
        let (written_in, rest) = copy.split_first_chunk()?;
        let (until, value) = rest.split_first_chunk()?;
        let serves = u64::from_be_bytes(*written_in) == epoch.0 && now.as_nanos() < u128::from_be_bytes(*until);
        serves.then(|| copy.slice_ref(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_serves_in_its_epoch_until_its_end_and_nothing_else_does() {
        let second = Duration::from_secs(1);
        for value in [&b""[..], b"value"] {
            let copy = Copy { epoch: Epoch(7), until: second, value: Bytes::copy_from_slice(value) }.encode();
            let just_before = second - Duration::from_nanos(1);
            assert_eq!(Copy::decode(&copy, Epoch(7), just_before).as_deref(), Some(value));
            assert_eq!(Copy::decode(&copy, Epoch(7), second), None);
            assert_eq!(Copy::decode(&copy, Epoch(8), Duration::ZERO), None);
            for short in 0..24 {
                assert_eq!(Copy::decode(&copy.slice(..short), Epoch(7), Duration::ZERO), None, "{short} bytes");
            }
        }
    }
}
