import Transport

/// A point on the monotonic clock of whoever runs the cores: the real clock in a server, virtual time in a simulation.
///
/// The cores read no clock. Each event comes with the instant at which it happened.
public struct Instant: InstantProtocol, Hashable, Sendable {
    /// Since an arbitrary start. 63 bits of nanoseconds last 292 years.
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The arbitrary start.
    public static let zero = Instant(nanoseconds: 0)

    public func advanced(by duration: Duration) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    public func duration(to other: Instant) -> Duration {
        .nanoseconds(other.nanoseconds) - .nanoseconds(nanoseconds)
    }

    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
}

extension Duration {
    /// Seconds as a floating-point number, for display.
    public var secondCount: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
