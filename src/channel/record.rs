//! Record headers: 64 bytes before every record, authenticated by every tag in it.
//!
//! Magic `PQGR` 4, version 1, type 1, direction 1, zero 1, session id 32, epoch 4, metadata length 4,
//! sequence 8, body length 8 (plaintext bytes). Integers are big-endian. Metadata and body follow.

use sha3::{Digest, Sha3_256};

use crate::{
    Error, Result,
    tensor::{MAX_METADATA_BYTES, MAX_TENSOR_BYTES},
};

/// Length of a record header.
pub const HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 4] = b"PQGR";
const VERSION: u8 = 1;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// The host sends.
    HostToDevice = 0,
    /// The device sends.
    DeviceToHost = 1,
}

impl Direction {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Direction::HostToDevice => Direction::DeviceToHost,
            Direction::DeviceToHost => Direction::HostToDevice,
        }
    }
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordType {
    /// The device holds the keys: its sequence 0, once.
    Ready = 1,
    /// A tensor.
    Tensor = 2,
    /// The last record of the sender's epoch.
    KeyUpdate = 3,
    /// The last record of the sender.
    Close = 4,
}

/// A record header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the record is.
    pub record_type: RecordType,
    /// Who sends it.
    pub direction: Direction,
    /// The session it belongs to.
    pub session_id: [u8; 32],
    /// The sender's epoch.
    pub epoch: u32,
    /// Length of the metadata that follows, at most 4096.
    pub metadata_bytes: u32,
    /// Its place in the sender's stream.
    pub sequence: u64,
    /// Length of the plaintext, at most 64 GiB; the body's length follows from it ([`super::chunk::sealed_bytes`]).
    pub body_bytes: u64,
}

impl RecordHeader {
    /// The 64 bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(MAGIC);
        out[4] = VERSION;
        out[5] = self.record_type as u8;
        out[6] = self.direction as u8;
        out[8..40].copy_from_slice(&self.session_id);
        out[40..44].copy_from_slice(&self.epoch.to_be_bytes());
        out[44..48].copy_from_slice(&self.metadata_bytes.to_be_bytes());
        out[48..56].copy_from_slice(&self.sequence.to_be_bytes());
        out[56..].copy_from_slice(&self.body_bytes.to_be_bytes());
        out
    }

    /// Reads 64 bytes. Every header that decodes encodes to the same bytes, and its lengths are within bounds,
    /// so that a transport may read what it announces before any key is at hand.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self> {
        fn field<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
            core::array::from_fn(|i| bytes[at + i])
        }
        if bytes[..4] != *MAGIC {
            return Err(Error::Record("not a record"));
        }
        if bytes[4] != VERSION {
            return Err(Error::Record("unknown record version"));
        }
        let record_type = match bytes[5] {
            1 => RecordType::Ready,
            2 => RecordType::Tensor,
            3 => RecordType::KeyUpdate,
            4 => RecordType::Close,
            _ => return Err(Error::Record("unknown record type")),
        };
        let direction = match bytes[6] {
            0 => Direction::HostToDevice,
            1 => Direction::DeviceToHost,
            _ => return Err(Error::Record("unknown direction")),
        };
        if bytes[7] != 0 {
            return Err(Error::Record("a reserved byte is not zero"));
        }
        let header = RecordHeader {
            record_type,
            direction,
            session_id: field(bytes, 8),
            epoch: u32::from_be_bytes(field(bytes, 40)),
            metadata_bytes: u32::from_be_bytes(field(bytes, 44)),
            sequence: u64::from_be_bytes(field(bytes, 48)),
            body_bytes: u64::from_be_bytes(field(bytes, 56)),
        };
        if record_type == RecordType::Tensor {
            if header.metadata_bytes as usize > MAX_METADATA_BYTES {
                return Err(Error::Record("metadata longer than 4096 bytes"));
            }
            if header.body_bytes > MAX_TENSOR_BYTES {
                return Err(Error::Record("a body longer than 64 GiB"));
            }
        } else if header.metadata_bytes != 0 || header.body_bytes != 0 {
            return Err(Error::Record("a control record with metadata or a body"));
        }
        Ok(header)
    }
}

/// The AAD of every chunk of a record: SHA3-256(header ‖ metadata).
pub(crate) fn aad(header: &[u8; HEADER_BYTES], metadata: &[u8]) -> [u8; 32] {
    Sha3_256::new().chain_update(header).chain_update(metadata).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_every_decodable_header_is_canonical() {
        let header = RecordHeader {
            record_type: RecordType::Tensor,
            direction: Direction::DeviceToHost,
            session_id: [7; 32],
            epoch: 0x0102_0304,
            metadata_bytes: 99,
            sequence: 0x0506_0708_090a_0b0c,
            body_bytes: 0x0d_0e0f_1011,
        };
        let bytes = header.encode();
        assert_eq!(bytes[..8], *b"PQGR\x01\x02\x01\x00");
        assert_eq!(bytes[40..], [1, 2, 3, 4, 0, 0, 0, 99, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 13, 14, 15, 16, 17]);
        assert_eq!(RecordHeader::decode(&bytes), Ok(header));
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(header) = RecordHeader::decode(&flipped) {
                assert_eq!(header.encode(), flipped);
            }
        }
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_allocated() {
        let tensor = |metadata_bytes, body_bytes| RecordHeader {
            record_type: RecordType::Tensor,
            direction: Direction::HostToDevice,
            session_id: [0; 32],
            epoch: 0,
            metadata_bytes,
            sequence: 0,
            body_bytes,
        };
        assert!(RecordHeader::decode(&tensor(4096, MAX_TENSOR_BYTES).encode()).is_ok());
        assert!(RecordHeader::decode(&tensor(4097, 0).encode()).is_err());
        assert!(RecordHeader::decode(&tensor(0, MAX_TENSOR_BYTES + 1).encode()).is_err());
        for record_type in [RecordType::Ready, RecordType::KeyUpdate, RecordType::Close] {
            assert!(RecordHeader::decode(&RecordHeader { record_type, ..tensor(0, 0) }.encode()).is_ok());
            assert!(RecordHeader::decode(&RecordHeader { record_type, ..tensor(1, 0) }.encode()).is_err());
            assert!(RecordHeader::decode(&RecordHeader { record_type, ..tensor(0, 1) }.encode()).is_err());
        }
    }
}
