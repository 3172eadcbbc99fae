//! The one table of APIs: number, name, versions.

use std::fmt;

/// Versions `first..=last` of an API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionRange {
    pub first: i16,
    pub last: i16,
}

impl VersionRange {
    pub const fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    pub fn iter(self) -> impl Iterator<Item = i16> {
        self.first..=self.last
    }
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Api {
    pub key: ApiKey,
    pub name: &'static str,
    /// Versions that can be decoded and encoded.
    pub decodable: VersionRange,
    /// First version with compact encodings and tagged fields (KIP-482); `NEVER` when there is none.
    pub flexible_from: i16,
    /// Whether every version above means here what it means in Kafka, so that clients are told of it.
    pub served: bool,
}

const NEVER: i16 = i16::MAX;

macro_rules! apis {
    ($($number:literal $key:ident $first:literal - $last:literal $flexible:tt $served:ident)*) => {
        /// An API we can decode, by Kafka's number.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i16)]
        pub enum ApiKey { $($key = $number,)* }

        /// Every API, by number.
        pub const APIS: &[Api] = &[$(Api {
            key: ApiKey::$key,
            name: stringify!($key),
            decodable: VersionRange { first: $first, last: $last },
            flexible_from: $flexible,
            served: apis!(@$served),
        },)*];

        impl ApiKey {
            pub fn from_number(number: i16) -> Option<ApiKey> {
                match number {
                    $($number => Some(ApiKey::$key),)*
                    _ => None,
                }
            }
        }
    };
    (@served) => { true };
    (@later) => { false };
}

// number, name, versions we decode, first flexible version, whether a handler serves it
apis! {
    0  Produce                 3-13 9     served
    1  Fetch                   4-18 12    served
    2  ListOffsets             1-10 6     served
    3  Metadata                0-13 9     served
    8  OffsetCommit            2-9  8     served
    9  OffsetFetch             1-9  6     served
    10 FindCoordinator         0-6  3     served
    11 JoinGroup               0-9  6     served
    12 Heartbeat               0-4  4     served
    13 LeaveGroup              0-5  4     served
    14 SyncGroup               0-5  4     served
    15 DescribeGroups          0-6  5     served
    16 ListGroups              0-5  3     served
    17 SaslHandshake           0-1  NEVER later
    18 ApiVersions             0-4  3     served
    19 CreateTopics            2-7  5     served
    20 DeleteTopics            1-6  4     served
    21 DeleteRecords           0-2  2     served
    22 InitProducerId          0-5  2     served
    23 OffsetForLeaderEpoch    2-4  4     served
    32 DescribeConfigs         1-4  4     served
    33 AlterConfigs            0-2  2     served
    35 DescribeLogDirs         1-4  2     served
    36 SaslAuthenticate        0-2  2     later
    37 CreatePartitions        0-3  2     served
    42 DeleteGroups            0-2  2     served
    43 ElectLeaders            0-2  2     served
    44 IncrementalAlterConfigs 0-1  1     served
    47 OffsetDelete            0-0  NEVER served
    55 DescribeQuorum          0-2  0     served
    60 DescribeCluster         0-2  0     served
    61 DescribeProducers       0-0  0     served
    74 ListConfigResources     0-1  0     served
    75 DescribeTopicPartitions 0-0  0     served
}

impl ApiKey {
    pub const fn number(self) -> i16 {
        self as i16
    }

    pub fn api(self) -> &'static Api {
        APIS.iter()
            .find(|api| api.key == self)
            .expect("every key has its row")
    }

    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.api().flexible_from
    }
}

impl Api {
    /// What ApiVersions tells clients.
    pub fn advertised(&self) -> Option<VersionRange> {
        // librdkafka before 2.11.1 looks for Produce 0 before it compresses (KAFKA-18659); 0-2 are refused all the same.
        let first = if self.key == ApiKey::Produce {
            0
        } else {
            self.decodable.first
        };
        self.served.then_some(VersionRange {
            first,
            last: self.decodable.last,
        })
    }

    pub fn is_served(&self, version: i16) -> bool {
        self.served && self.decodable.contains(version)
    }
}

/// The APIs that clients are told of, by number, with their versions.
pub fn advertised() -> impl Iterator<Item = (ApiKey, VersionRange)> {
    APIS.iter()
        .filter_map(|api| Some((api.key, api.advertised()?)))
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.api().name)
    }
}
