import FoundationEssentials

/// This process, as other machines are told of it.
enum ProcessIdentity {
    static var number: Int32 { ProcessInfo.processInfo.processIdentifier }

    /// Grows with each start of the process, in nanoseconds of the machine's clock.
    static func newIncarnation() -> UInt64 {
        UInt64(max(0, Date().timeIntervalSince1970) * 1e9)
    }
}
