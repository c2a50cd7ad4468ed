/// What two nodes measured of the link between them, through the transport that they compute over.
public struct LinkMeasurement: Sendable, Equatable, Codable {
    /// How long a message of a size takes there and an equally long one back.
    public struct RoundTrip: Sendable, Equatable, Codable {
        public var byteCount: Int
        public var seconds: Double

        public init(byteCount: Int, seconds: Double) {
            self.byteCount = byteCount
            self.seconds = seconds
        }

        private enum CodingKeys: String, CodingKey {
            case seconds
            case byteCount = "bytes"
        }
    }

    /// In ascending order of size; usually three.
    public private(set) var roundTrips: [RoundTrip]
    /// Bytes a second of large messages, one way.
    public var bandwidthBytesPerSecond: Double
    /// What each further message costs a node that sends to, or receives from, several at once.
    public var messageSeconds: Double

    public init(roundTrips: [RoundTrip], bandwidthBytesPerSecond: Double, messageSeconds: Double = 5e-6) {
        self.roundTrips = roundTrips.sorted { ($0.byteCount, $0.seconds) < ($1.byteCount, $1.seconds) }
        self.bandwidthBytesPerSecond = bandwidthBytesPerSecond
        self.messageSeconds = messageSeconds
    }

    /// A link of which only the round trip of a small message and the bandwidth are known.
    public init(latencySeconds: Double, bandwidthBytesPerSecond: Double, messageSeconds: Double = 5e-6) {
        self.init(
            roundTrips: [RoundTrip(byteCount: 0, seconds: latencySeconds)],
            bandwidthBytesPerSecond: bandwidthBytesPerSecond, messageSeconds: messageSeconds)
    }

    private enum CodingKeys: String, CodingKey {
        case roundTrips = "round_trips"
        case bandwidthBytesPerSecond = "bandwidth_bytes_per_second"
        case messageSeconds = "message_seconds"
    }

    /// How long a message takes one way: half a round trip, interpolated between the sizes that were measured. Beyond
    /// the largest, the bandwidth says what the rest takes.
    public func seconds(byteCount: Double) -> Double {
        guard let first = roundTrips.first else { return byteCount / bandwidthBytesPerSecond }
        var below = first
        for trip in roundTrips {
            if byteCount <= Double(trip.byteCount) {
                let span = Double(trip.byteCount - below.byteCount)
                guard span > 0 else { return trip.seconds / 2 }
                let share = (byteCount - Double(below.byteCount)) / span
                return (below.seconds + share * (trip.seconds - below.seconds)) / 2
            }
            below = trip
        }
        return below.seconds / 2 + (byteCount - Double(below.byteCount)) / bandwidthBytesPerSecond
    }
}
