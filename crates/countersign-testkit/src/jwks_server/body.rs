use countersign::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

/// How many spaces are kept at hand; a run of them repeats these.
const SPACES: usize = 256 << 10;

/// Octets, each some times over: however long, it takes no room.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    parts: Vec<(Bytes, u64)>,
}

impl Body {
    pub(super) fn new(octets: &[u8]) -> Self {
        Self { parts: vec![(Bytes::copy_from_slice(octets), 1)] }
    }

    pub(super) fn padded(mut self, spaces: u64) -> Self {
        let run = Bytes::from(vec![b' '; SPACES]);
        let length = SPACES as u64;
        let rest = usize::try_from(spaces % length).map(|rest| run.slice(..rest)).unwrap_or_default();
        self.parts.extend([(run, spaces / length), (rest, 1)]);
        self
    }

    /// RFC 1952. A part is compressed once however often it stands in a row: each begins and ends at an octet and looks
    /// back at nothing before it.
    pub(super) fn gzip(&self) -> Self {
        let mut sum = Crc::new();
        let mut parts = vec![(Bytes::from_static(b"\x1f\x8b\x08\0\0\0\0\0\0\xff"), 1)];
        for (octets, times) in &self.parts {
            let mut own = Crc::new();
            own.update(octets);
            (0..*times).for_each(|_| sum.combine(&own));
            parts.push((deflated(octets), *times));
        }
        // A last block with nothing in it.
        let end = [&[0x03, 0x00], &sum.sum().to_le_bytes()[..], &sum.amount().to_le_bytes()].concat();
        parts.push((end.into(), 1));
        Self { parts }
    }

    pub(super) fn len(&self) -> u64 {
        self.parts.iter().map(|(octets, times)| octets.len() as u64 * times).sum()
    }

    /// The octets in their order, at most `size` at a time.
    pub(super) fn pieces(&self, size: usize) -> impl Iterator<Item = &[u8]> + Send {
        self.parts.iter().flat_map(move |(octets, times)| (0..*times).flat_map(move |_| octets.chunks(size)))
    }
}

fn deflated(octets: &[u8]) -> Bytes {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(octets).and_then(|()| encoder.flush()).expect("memory takes what is written");
    encoder.get_ref().clone().into()
}
