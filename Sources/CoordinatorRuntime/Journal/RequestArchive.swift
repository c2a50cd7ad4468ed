import ClusterCore
import Transport

/// What is kept of streamed answers: enough to go on with each after a restart, and to give each to a client again.
///
/// It is what its records say, one after the other; a file of them makes the same archive again.
package struct RequestArchive {
    package struct Limits: Equatable, Sendable {
        /// How long a stream is kept after nothing has happened to it, in seconds.
        package var keepSeconds = 300
        /// How many streams are kept that have ended.
        package var streamCount = 64
        /// How many bytes of prompts, tokens and descriptions those have at most, about.
        package var byteCount = 64 << 20
        /// The file is written anew when it has grown by so many bytes, and to more than twice what is needed.
        package var growthByteCount = 8 << 20

        package init(
            keepSeconds: Int = 300, streamCount: Int = 64, byteCount: Int = 64 << 20, growthByteCount: Int = 8 << 20
        ) {
            self.keepSeconds = keepSeconds
            self.streamCount = streamCount
            self.byteCount = byteCount
            self.growthByteCount = growthByteCount
        }
    }

    struct Request: Equatable {
        var number: UInt32
        var request: GenerationRequest
        /// Tokens that were not computed for it.
        var reusedTokenCount = 0
        /// Sampled so far.
        var choices: [TokenChoice] = []
        var state = JournalRecord.RequestState.open
        /// When it was let in or its state changed last.
        var touchedAt: Int

        /// What it takes in memory, about.
        var byteCount: Int {
            4 * request.promptTokens.count + choices.reduce(0) { $0 + 32 + 8 * $1.top.count }
        }

        var finishReason: FinishReason? {
            switch state {
            case .open, .idle: nil
            case .stopped: .stop
            case .reachedLimit: .length
            }
        }

        /// How it has ended by its tokens, whether or not that was noted.
        var impliedState: JournalRecord.RequestState {
            if let last = choices.last, request.stopTokens.contains(last.token) { return .stopped }
            return choices.count >= request.maximumTokenCount ? .reachedLimit : state
        }
    }

    private struct Stream {
        var stream: KeptStream
        var touchedAt: Int
    }

    private(set) var lastEpoch: UInt64 = 0
    /// In order.
    private(set) var drained: [String] = []
    private(set) var model = ""
    /// By number.
    private(set) var requests: [UInt32: Request] = [:]
    private var numbers: [String: UInt32] = [:]
    private var streams: [String: Stream] = [:]
    private var lastNumber: UInt32 = 0

    /// The number that the next request gets.
    var nextNumber: UInt32 { lastNumber &+ 1 }

    subscript(requestID: String) -> Request? { numbers[requestID].flatMap { requests[$0] } }

    func stream(_ id: String) -> KeptStream? { streams[id]?.stream }

    /// Requests that neither ended nor were given up, in the order in which they were let in.
    var openRequests: [Request] {
        requests.values.filter { $0.state == .open }.sorted { $0.number < $1.number }
    }

    /// What happened. Records that fit nothing are left out.
    mutating func apply(_ record: JournalRecord) {
        switch record {
        case .epoch(let number): lastEpoch = max(lastEpoch, number)
        case .drained(let names): drained = names
        case .model(let model):
            if model != self.model { (requests, numbers, streams) = ([:], [:], [:]) }
            self.model = model
        case .stream(let stream, let time): streams[stream.id] = Stream(stream: stream, touchedAt: time)
        case .request(let number, let request, let time):
            if let old = numbers[request.id] { requests[old] = nil }
            lastNumber = max(lastNumber, number)
            numbers[request.id] = number
            requests[number] = Request(number: number, request: request, touchedAt: time)
        case .reused(let number, let tokenCount): requests[number]?.reusedTokenCount = tokenCount
        case .token(let number, let choice):
            // Not copied: the list of its choices is long.
            guard requests[number].map({ $0.choices.count < $0.request.maximumTokenCount }) == true else { return }
            requests[number]?.choices.append(choice)
        case .state(let number, let state, let time):
            requests[number]?.state = state
            requests[number]?.touchedAt = time
        }
    }

    /// Forgets what has been kept long enough.
    mutating func tidy(_ limits: Limits, at now: Int) {
        var own: [String: [Request]] = [:]
        for request in requests.values { own[streamID(of: request), default: []].append(request) }
        // Nothing was ever sent of those that were refused.
        for (id, requests) in own where requests.allSatisfy({ $0.state == .idle && $0.choices.isEmpty }) {
            streams[id] = nil
        }
        let ended = streams.values.filter { stream in
            !(own[stream.stream.id] ?? []).contains { $0.state == .open }
        }.map { stream in
            let requests = own[stream.stream.id] ?? []
            return (
                id: stream.stream.id, touchedAt: requests.map(\.touchedAt).reduce(stream.touchedAt, max),
                byteCount: requests.map(\.byteCount).reduce(stream.stream.description.utf8.count, +)
            )
        }
        var (count, byteCount) = (0, 0)
        // The newest first.
        for stream in ended.sorted(by: { ($1.touchedAt, $1.id) < ($0.touchedAt, $0.id) }) {
            count += 1
            byteCount += stream.byteCount
            let isKept =
                count <= limits.streamCount && byteCount <= limits.byteCount
                && now - stream.touchedAt < limits.keepSeconds
            if !isKept { streams[stream.id] = nil }
        }
        for request in requests.values where request.state != .open && !hasStream(request) {
            requests[request.number] = nil
            numbers[request.request.id] = nil
        }
    }

    private func hasStream(_ request: Request) -> Bool { streams[streamID(of: request)] != nil }

    /// A request's id is its stream's and the number of the choice.
    private func streamID(of request: Request) -> String {
        let id = request.request.id
        return id.lastIndex(of: "-").map { String(id[..<$0]) } ?? id
    }

    /// Records that make this archive again.
    var records: [JournalRecord] {
        [.epoch(lastEpoch), .drained(drained), .model(model)]
            + streams.values.sorted { $0.stream.id < $1.stream.id }.map { .stream($0.stream, at: $0.touchedAt) }
            + requests.values.sorted { $0.number < $1.number }.flatMap { request in
                [.request(request.number, request.request, at: request.touchedAt)]
                    + (request.reusedTokenCount > 0
                        ? [.reused(request.number, tokenCount: request.reusedTokenCount)] : [])
                    + request.choices.map { .token(request.number, $0) }
                    + [.state(request.number, request.state, at: request.touchedAt)]
            }
    }
}
