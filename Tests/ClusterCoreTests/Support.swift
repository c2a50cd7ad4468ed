import ClusterCore
import Transport

extension Instant {
    /// So many seconds after the start.
    static func seconds(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
}

extension NodeID {
    static func named(_ name: String) -> NodeID {
        guard let node = NodeID(name) else { preconditionFailure("\(name) is not a node's name") }
        return node
    }
}

let a = NodeID.named("a")
let b = NodeID.named("b")
let c = NodeID.named("c")
let d = NodeID.named("d")
let e = NodeID.named("e")
let f = NodeID.named("f")

extension Hello {
    static func from(_ node: NodeID, incarnation: UInt64 = 1) -> Hello {
        Hello(
            incarnation: incarnation, processID: 100 + Int32(incarnation), hostName: "box",
            hostID: "boot/1", cpuModel: "Ryzen 9 9950X",
            instructionSet: "avx512", threadCount: 16, memoryByteCount: 64 << 30, memoryFreeByteCount: 60 << 30,
            dataEndpoint: "tcp://\(node):7071")
    }
}

extension Heartbeat {
    static func number(_ number: UInt64, computedTokenCount: UInt64 = 0) -> Heartbeat {
        Heartbeat(
            number: number, memoryUsedByteCount: 1 << 30, memoryFreeByteCount: 50 << 30, keyValueTokenCount: 7,
            keyValueTokenCapacity: 4096, computedTokenCount: computedTokenCount, droppedFrameCount: 3,
            roundTrip: .microseconds(250))
    }
}

extension ModelFileReference {
    static let test = ModelFileReference(
        path: "/models/test.gguf", byteCount: 1000, headerDigest: [UInt8](repeating: 7, count: 32))
}

extension GenerationRequest {
    static func prompt(_ tokens: [Int32], maximum: Int = 4, stop: [Int32] = []) -> GenerationRequest {
        GenerationRequest(
            id: "cmpl", promptTokens: tokens, maximumTokenCount: maximum, sampling: SamplingParameters(temperature: 0),
            stopTokens: stop)
    }
}
