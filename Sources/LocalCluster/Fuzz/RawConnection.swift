import Glibc
import NIOCore
import NIOPosix

/// A TCP connection to a port of this machine that sends what it is told, and keeps what comes.
enum RawConnection {
    /// How it ends when all is sent.
    enum Ending: Sendable {
        case closed
        case reset
        /// When the other end closes it, but not after that time.
        case held(Duration)
    }

    /// What came back.
    struct Answer: Sendable {
        /// The first of them.
        var bytes: [UInt8] = []
        var byteCount = 0
        /// Whether the other end was the one to close.
        var isClosed = false
    }

    private static let keptByteCount = 1024
    /// Who takes nothing any more is not waited for any longer.
    private static let patience = TimeAmount.seconds(30)

    /// - Throws: an error of NIO's if there is no connection at all; afterwards the other end may do as it likes.
    static func run(port: Int, _ pieces: [[UInt8]], _ ending: Ending) async throws -> Answer {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(.seconds(10))
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let giveUp = channel.channel.eventLoop.scheduleTask(in: patience) { channel.channel.close(promise: nil) }
        defer { giveUp.cancel() }
        var answer = Answer()
        // Whoever sends rubbish may be cut off in the middle of it.
        try? await channel.executeThenClose { inbound, outbound in
            for piece in pieces where !piece.isEmpty { try await outbound.write(ByteBuffer(bytes: piece)) }
            switch ending {
            case .closed: return
            case .reset:
                guard let options = channel.channel as? any SocketOptionProvider else { return }
                try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            case .held(let time):
                let expiry = channel.channel.eventLoop.scheduleTask(in: TimeAmount(time)) {
                    channel.channel.close(promise: nil)
                    return true
                }
                for try await part in inbound {
                    answer.bytes += part.readableBytesView.prefix(keptByteCount - answer.bytes.count)
                    answer.byteCount += part.readableBytes
                }
                expiry.cancel()
                answer.isClosed = (try? await expiry.futureResult.get()) != true
            }
        }
        return answer
    }
}
