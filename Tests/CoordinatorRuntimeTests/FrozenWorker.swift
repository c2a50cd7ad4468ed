import Synchronization
import Transport
import ZeroMQ

/// A worker that joins, loads at once and answers no step, and that can fall silent as a stopped process does: its
/// sockets stay open and nothing comes out of them.
final class FrozenWorker: Sendable {
    private struct State {
        var isSilent = false
        var isStopped = false
        var readyEpochs: [Epoch] = []
    }

    private let state = Mutex(State())
    private let thread: Mutex<OwnedThread?> = Mutex(nil)

    init(_ node: NodeID, coordinator: String) throws {
        let thread = try OwnedThread.start(name: "frozen-\(node)") { [self] in
            // A socket that cannot be had shows in the test, which waits for this worker in vain.
            try? serve(node, coordinator)
        }
        self.thread.withLock { $0 = thread }
    }

    /// From now on nothing is heard of it.
    func freeze() { state.withLock { $0.isSilent = true } }

    func stop() {
        state.withLock { $0.isStopped = true }
        _ = thread.withLock(\.self)?.join(within: .seconds(5))
    }

    private func serve(_ node: NodeID, _ coordinator: String) throws {
        let links = try ZeroMQDataLinks(node: node, clusterID: "default", binding: "tcp://127.0.0.1:0")
        let client = try ControlClient(node: node, connecting: coordinator)
        func send(_ body: Envelope.Body, _ epoch: Epoch = Epoch(0)) {
            try? client.send(Envelope(clusterID: "default", epoch: epoch, sender: node, body: body))
        }
        let hello = Hello(
            incarnation: 1, processID: 1, hostName: "test", cpuModel: "test", instructionSet: "portable",
            threadCount: 1, memoryByteCount: 1, memoryFreeByteCount: 1, dataEndpoint: links.endpoint)
        var isWelcome = false
        var number: UInt64 = 0
        while !state.withLock(\.isStopped) {
            guard !state.withLock(\.isSilent) else {
                _ = try? links.receive(timeout: .milliseconds(50))
                continue
            }
            if isWelcome {
                number += 1
                send(
                    .heartbeat(
                        Heartbeat(
                            number: number, memoryUsedByteCount: 1, memoryFreeByteCount: 1, keyValueTokenCount: 0,
                            keyValueTokenCapacity: 0, computedTokenCount: 0, droppedFrameCount: 0, roundTrip: nil)))
            } else {
                send(.hello(hello))
            }
            guard case .message(let envelope)? = try client.receive(timeout: .milliseconds(50)) else { continue }
            switch envelope.body {
            case .welcome: isWelcome = true
            case .assignment(let assignment):
                let ready = StageReady(
                    weightsByteCount: 1, keyValueTokenCapacity: assignment.keyValueTokenCapacity)
                send(.ready(ready), envelope.epoch)
            default: break
            }
        }
    }
}
