import Transport
import Wire

/// What sockets that carry weights may hold.
public struct WeightsLimits: Equatable, Sendable {
    /// Replies queued for one peer: some more than it waits for at a time, so that few are in memory that nobody wants.
    public var queueLength = 8
    /// Bytes behind an envelope.
    public var maximumPayloadByteCount = 32 << 20
    public var wire = WireLimits.standard

    public init() {}

    var options: SocketOptions {
        var options = SocketOptions()
        options.sendQueueLength = queueLength
        options.receiveQueueLength = queueLength
        options.sendTimeout = .zero
        options.maximumMessageByteCount = maximumPayloadByteCount
        return options
    }
}
