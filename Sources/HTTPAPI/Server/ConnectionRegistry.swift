import Hummingbird
import NIOCore
import Synchronization

/// The open connections and, for each, the latch that opens when its client has gone.
final class ConnectionRegistry: Sendable {
    private let latches = Mutex<[ObjectIdentifier: Latch]>([:])

    var connectionCount: Int { latches.withLock { $0.count } }

    /// The latch of an open connection. A channel that no client is behind, as in tests without sockets, gets one that
    /// stays closed.
    func latch(of channel: any Channel) -> Latch {
        latches.withLock { $0[ObjectIdentifier(channel)] } ?? Latch()
    }

    func add(_ channel: any Channel, _ latch: Latch) {
        latches.withLock { $0[ObjectIdentifier(channel)] = latch }
    }

    func remove(_ channel: any Channel) {
        _ = latches.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}

/// Watches one connection for a client that goes away or stops reading.
///
/// Hummingbird tells a handler about a closed connection only through the request's body, at the price of the
/// connection's reuse; this handler leaves the body alone.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let registry: ConnectionRegistry
    private let stallTimeout: TimeAmount
    private let latch = Latch()
    private var stall: Scheduled<Void>?

    /// - Parameter stallTimeout: how long a client may leave the send buffer full before its connection is closed.
    init(registry: ConnectionRegistry, stallTimeout: TimeAmount) {
        self.registry = registry
        self.stallTimeout = stallTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        registry.add(context.channel, latch)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        stall?.cancel()
        registry.remove(context.channel)
        latch.open()
    }

    func channelInactive(context: ChannelHandlerContext) {
        latch.open()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { latch.open() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stall?.cancel()
        stall = nil
        if !context.channel.isWritable {
            let channel = context.channel
            stall = context.eventLoop.scheduleTask(in: stallTimeout) { channel.close(promise: nil) }
        }
        context.fireChannelWritabilityChanged()
    }
}

@available(*, unavailable)
extension ConnectionWatch: Sendable {}

/// The context of one request, with the connection that it came on.
struct ConnectionContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Tells the client from others, where clients have keys.
    var owner: String?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}
