public import ClusterCore
import Foundation
import NIOCore

/// Asks a running coordinator over HTTP.
///
/// Every call makes a connection of its own and fails with a ``ClusterClientError`` that says where and why, or with
/// `CancellationError` when the calling task is cancelled.
public struct ClusterClient: Sendable {
    /// How long to wait before giving up.
    public struct Timeouts: Sendable, Equatable {
        public var connect = Duration.seconds(5)
        /// Between two pieces of an answer. Streams say something at least every 20 seconds.
        public var read = Duration.seconds(60)
        /// How long a stream that was lost is tried to be read on, as when the coordinator is started anew.
        public var resume = Duration.seconds(60)

        public init() {}
    }

    static let maximumAnswerByteCount = 256 << 20

    public let address: CoordinatorAddress
    public let timeouts: Timeouts
    private let key: String?

    /// The variable of the environment that has the key for coordinators that want one.
    public static let keyVariable = "RYZ_API_KEY"

    /// - Parameter key: what the coordinator knows the caller by; by default that of the environment, if it is set.
    public init(
        _ address: CoordinatorAddress, timeouts: Timeouts = Timeouts(),
        key: String? = ProcessInfo.processInfo.environment[Self.keyVariable]
    ) {
        self.address = address
        self.timeouts = timeouts
        self.key = key
    }

    /// What the coordinator knows of the cluster.
    public func health() async throws -> ClusterHealth {
        try await answer(.GET("/v1/ryz/health"))
    }

    /// Has all workers and links measured anew; health shows how far it is.
    ///
    /// - Returns: how many measurements that are.
    /// - Throws: `.refused` with status 409 while the cluster is not idle.
    public func measure() async throws -> Int {
        let begun: MeasuringBegun = try await answer(.POST("/v1/ryz/measure", Data()))
        return begun.pendingCount
    }

    /// Begins an operation; health shows how far it is.
    ///
    /// - Throws: `.refused` with status 409 and the reason, or 404 for a worker that is not known.
    public func operate(_ operation: ClusterOperation) async throws {
        let path =
            switch operation {
            case .drain(let node, let isForced): "nodes/\(node)/drain\(isForced ? "?force=true" : "")"
            case .resume(let node): "nodes/\(node)/resume"
            case .rebalance: "rebalance"
            case .shutDown: "shutdown"
            }
        _ = try await exchange(.POST("/v1/ryz/\(path)", Data())).collect()
    }

    /// What a plan for the cluster is made from.
    public func planningInput() async throws -> PlanningInput {
        try await answer(.GET("/v1/ryz/measurements"))
    }

    /// The names of the models that are served.
    public func models() async throws -> [String] {
        let list: ServedModels = try await answer(.GET("/v1/models"))
        return list.data.map(\.id)
    }

    /// Teacher-forced figures of a text, computed by the cluster.
    ///
    /// - Parameters:
    ///   - top: best tokens to report at each position, 0...64.
    ///   - chunk: positions to compute at a time.
    public func score(_ text: ScoreInput, top: Int, chunk: Int) async throws -> ScoreAnswer {
        try await answer(.POST("/v1/ryz/score", JSONEncoder().encode(ScoreRequest(text, top: top, chunk: chunk))))
    }

    /// Generates exactly so many tokens behind a prompt, the likeliest ones, whether or not the text has ended before.
    ///
    /// - Returns: when all of them have come, how many there are.
    @discardableResult
    public func generate(_ prompt: [Int32], count: Int) async throws -> Int {
        let body = GenerationBody(prompt: prompt, maximumTokenCount: count)
        let answer: GenerationAnswer = try await answer(.POST("/v1/completions", JSONEncoder().encode(body)))
        return answer.usage.completionTokenCount
    }

    /// Continues a conversation. The stream reports text as it is generated, then one `finished`; ending its iteration
    /// gives up the generation on the cluster.
    public func chatStream(
        _ messages: [ChatMessage], options: ChatOptions = ChatOptions()
    ) -> AsyncThrowingStream<ChatEvent, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    try await chat(messages, options) { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func chat(
        _ messages: [ChatMessage], _ options: ChatOptions, _ report: (ChatEvent) -> Void
    ) async throws {
        var exchange = exchange(.POST("/v1/chat/completions", try JSONEncoder().encode(ChatBody(messages, options))))
        var outcome = ChatAssembly(url: address.description)
        var lastID: String?
        var lastHeard = ContinuousClock.now
        while true {
            do {
                var events = ServerSentEvents()
                try await exchange.run { part in
                    let complete: [[UInt8]]
                    do {
                        complete = try events.append(part.readableBytesView)
                    } catch {
                        throw ClusterClientError.unexpectedAnswer(
                            url: address.description, problem: "an event is too long")
                    }
                    // Before an error among them is thrown: what came with it is not to come again.
                    lastID = events.lastID ?? lastID
                    lastHeard = .now
                    for data in complete { try outcome.take(data).forEach(report) }
                }
                return report(try outcome.finish())
            } catch let error as ClusterClientError where error.mayBeResumed {
                guard let lastID, let end = lastID.lastIndex(of: ":"), lastHeard.duration(to: .now) < timeouts.resume
                else { throw error }
                try await Task.sleep(for: Self.resumeInterval)
                exchange = self.exchange(.GET("/v1/ryz/streams/\(lastID[..<end])"))
                exchange.lastEventID = lastID
            }
        }
    }

    private static let resumeInterval = Duration.milliseconds(200)

    private enum Call {
        case GET(String)
        case POST(String, Data)
    }

    private func exchange(_ call: Call) -> HTTPExchange {
        switch call {
        case .GET(let path):
            HTTPExchange(address: address, method: .GET, path: path, body: nil, key: key, timeouts: timeouts)
        case .POST(let path, let body):
            HTTPExchange(address: address, method: .POST, path: path, body: Array(body), key: key, timeouts: timeouts)
        }
    }

    private func answer<Answer: Decodable>(_ call: Call) async throws -> Answer {
        let exchange = exchange(call)
        let data = try await exchange.collect()
        do {
            return try JSONDecoder().decode(Answer.self, from: data)
        } catch {
            throw ClusterClientError.unexpectedAnswer(
                url: address.description + exchange.path, problem: "its JSON is not as expected (\(error))")
        }
    }
}
