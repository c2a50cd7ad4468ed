import ClusterCore
import Transport

/// What is kept of streamed answers: enough to go on with each after a restart, and to give each to a client again.
///
/// It is what its records say, one after the other; a file of them makes the same archive again.
struct RequestArchive {
    struct Limits: Equatable {
        /// How long a stream is kept after nothing has happened to it, in seconds.
        var keepSeconds = 300
        /// How many streams are kept that have ended.
        var streamCount = 64
    }

    struct Request: Equatable {
        var number: UInt32
        var request: GenerationRequest
        /// Sampled so far.
        var choices: [TokenChoice] = []
        var state = JournalRecord.RequestState.open
        /// When it was let in or its state changed last.
        var touchedAt: Int

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
        case .stream(let stream, let time): streams[stream.id] = Stream(stream: stream, touchedAt: time)
        case .request(let number, let request, let time):
            if let old = numbers[request.id] { requests[old] = nil }
            lastNumber = max(lastNumber, number)
            numbers[request.id] = number
            requests[number] = Request(number: number, request: request, touchedAt: time)
        case .token(let number, let choice):
            guard let request = requests[number], request.choices.count < request.request.maximumTokenCount else {
                return
            }
            requests[number]?.choices.append(choice)
        case .state(let number, let state, let time):
            requests[number]?.state = state
            requests[number]?.touchedAt = time
        }
    }

    /// Forgets what has been kept long enough.
    mutating func tidy(_ limits: Limits, at now: Int) {
        // The newest first; those with an open request are of now.
        let ages = streams.map { id, stream -> (id: String, touchedAt: Int) in
            let own = requests.values.filter { $0.request.id.hasPrefix(id + "-") }
            if own.contains(where: { $0.state == .open }) { return (id, .max) }
            return (id, own.map(\.touchedAt).reduce(stream.touchedAt, max))
        }.sorted { ($1.touchedAt, $1.id) < ($0.touchedAt, $0.id) }
        let ended = ages.filter { $0.touchedAt != .max }
        let kept = ended.prefix(limits.streamCount).prefix { now - $0.touchedAt < limits.keepSeconds }
        for stream in ended.dropFirst(kept.count) { streams[stream.id] = nil }
        for request in requests.values where request.state != .open && !hasStream(request) {
            requests[request.number] = nil
            numbers[request.request.id] = nil
        }
    }

    private func hasStream(_ request: Request) -> Bool {
        guard let end = request.request.id.lastIndex(of: "-") else { return false }
        return streams[String(request.request.id[..<end])] != nil
    }

    /// Records that make this archive again.
    var records: [JournalRecord] {
        [.epoch(lastEpoch), .drained(drained)]
            + streams.values.sorted { $0.stream.id < $1.stream.id }.map { .stream($0.stream, at: $0.touchedAt) }
            + requests.values.sorted { $0.number < $1.number }.flatMap { request in
                [.request(request.number, request.request, at: request.touchedAt)]
                    + request.choices.map { .token(request.number, $0) }
                    + [.state(request.number, request.state, at: request.touchedAt)]
            }
    }
}
