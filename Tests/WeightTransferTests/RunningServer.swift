import Checkpoints
import Dispatch
import Logging
import Synchronization
import Testing
import Transport
import ZeroMQ

@testable import WeightTransfer

/// A server of weights on a thread of its own.
final class RunningServer: Serving {
    let peer: Peer
    var endpoint: String { peer.dataEndpoint }
    private let server: WeightsServer
    private let thread: OwnedThread

    convenience init(
        _ model: ModelFile, node: NodeID = .coordinator, endpoint: String = "tcp://127.0.0.1:0",
        security: NodeSecurity? = nil
    ) throws {
        try self.init(WeightsShelf(model, manifestFolder: nil), node: node, endpoint: endpoint, security: security)
    }

    init(
        _ shelf: WeightsShelf, node: NodeID, endpoint: String = "tcp://127.0.0.1:0", security: NodeSecurity? = nil
    ) throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let server = try WeightsServer(
            node: node, clusterID: "test", shelf: shelf, logger: logger)
        let bound = Shared<Result<String, ZeroMQError>?>(nil)
        let started = DispatchSemaphore(value: 0)
        thread = try OwnedThread.start(name: "weights") {
            server.run(binding: endpoint, advertisedHost: nil, security: security) { result in
                bound.change { $0 = result }
                started.signal()
            }
        }
        #expect(started.wait(timeout: .now() + 20) == .success)
        self.server = server
        peer = Peer(node: node, dataEndpoint: try #require(bound.value).get())
    }

    /// Returns when the thread has ended, and the port is free.
    func stop() {
        server.stop()
        #expect(thread.join(within: .seconds(20)))
    }

    deinit { server.stop() }
}

/// A value that several threads use.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value { mutex.withLock { $0 } }

    func change(_ body: (inout Value) -> Void) { mutex.withLock { body(&$0) } }
}

/// Serves weights as long as it is there.
protocol Serving: AnyObject, Sendable {
    var peer: Peer { get }
}
