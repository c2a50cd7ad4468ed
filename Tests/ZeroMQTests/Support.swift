import Glibc
import Testing
import Transport
import Wire
import ZeroMQ

/// How long a test waits for something that should come at once.
let patience: Duration = .seconds(20)

func nodeID(_ name: String) throws -> NodeID { try #require(NodeID(name)) }

func envelope(from sender: NodeID, cluster: String = "test", step: UInt64 = 1, tokens: [Int32] = [1, 2, 3]) -> Envelope
{
    let slice = SequenceSlice(sequence: SequenceID(1), startPosition: 0, tokens: tokens, output: .none)
    return Envelope(
        clusterID: cluster, epoch: Epoch(1), sender: sender, body: .step(Step(id: StepID(step), slices: [slice])))
}

func hello(from sender: NodeID, cluster: String = "test", incarnation: UInt64 = 1) -> Envelope {
    let hello = Hello(
        incarnation: incarnation, processID: 1, hostName: "h", cpuModel: "c", instructionSet: "portable",
        threadCount: 1, memoryByteCount: 1, memoryFreeByteCount: 1, dataEndpoint: "tcp://127.0.0.1:1")
    return Envelope(clusterID: cluster, epoch: Epoch(0), sender: sender, body: .hello(hello))
}

func links(
    _ name: String, cluster: String = "test", limits: DataLinkLimits = DataLinkLimits(), wake: [WakeSignal] = []
) throws -> ZeroMQDataLinks {
    try ZeroMQDataLinks(
        node: try nodeID(name), clusterID: cluster, binding: "tcp://127.0.0.1:0", limits: limits, wake: wake)
}

extension ZeroMQDataLinks {
    var peer: Peer { Peer(node: node, dataEndpoint: endpoint) }

    /// The next delivery, which must come.
    func next() throws -> Delivery { try #require(try receive(timeout: patience)) }
}

extension Payload {
    var bytes: [UInt8] {
        withBytes { span in span.withUnsafeBytes { Array($0) } }
    }
}

/// A peer that sends whatever a test wants.
final class RawPeer {
    let socket: Socket

    init(_ endpoint: String, routingID: String?, maximumMessageByteCount: Int = 1 << 30) throws {
        var options = SocketOptions()
        options.routingID = routingID.map { Array($0.utf8) }
        options.linger = .seconds(2)
        options.sendTimeout = patience
        options.maximumMessageByteCount = maximumMessageByteCount
        socket = try Socket(.dealer, name: endpoint, options: options)
        try socket.connect(endpoint)
    }

    func send(_ parts: [[UInt8]]) throws {
        for (index, part) in parts.enumerated() {
            try socket.send(try Message(copying: part.span.bytes), hasMore: index < parts.count - 1)
        }
    }
}

/// A coordinator that sends whatever a test wants.
final class RawRouter {
    let socket: Socket
    let endpoint: String

    init() throws {
        var options = SocketOptions()
        options.sendTimeout = patience
        options.receiveTimeout = patience
        socket = try Socket(.router, name: "test", options: options)
        try socket.bind("tcp://127.0.0.1:0")
        endpoint = try socket.lastEndpoint()
    }

    /// Waits for a message and sends `bytes` to where it came from.
    func answerFirst(with bytes: [UInt8]) throws {
        guard let routingID = try socket.receive() else {
            Issue.record("nothing came")
            return
        }
        let identity = routingID.withBytes { span in span.withUnsafeBytes { Array($0) } }
        try socket.send(try Message(copying: identity.span.bytes), hasMore: true)
        try socket.send(try Message(copying: bytes.span.bytes))
    }
}

/// An envelope's bytes with the protocol version changed.
func ofVersion(_ version: UInt8, _ envelope: Envelope) throws -> [UInt8] {
    var bytes = try Wire.encode(envelope)
    try #require(bytes[0] == 0x08 && bytes[1] == 0x01)
    bytes[1] = version
    return bytes
}

/// A port that is taken, so that no other test listens on it, and that nobody listens on.
struct SilentPort {
    let endpoint: String
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        try #require(status == 0)
        endpoint = "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    }

    func close() { _ = Glibc.close(descriptor) }
}
