import ClusterCore
import Transport

/// Compares what clients get with what they have to get.
struct AnswerChecker {
    enum Ending: Equatable, Sendable {
        case complete
        case failed(GenerationError)
        /// The client went, or the coordinator did.
        case abandoned
    }

    private struct Request {
        var work: Work
        var tokens: [TokenChoice] = []
        var reason = FinishReason.stop
        var score: ScoredText?
        /// Over the present connection.
        var receivedCount = 0
        /// At any time.
        var knownCount = 0
        var ending: Ending?
    }

    private let model: HashModel
    /// By number of ticket.
    private var requests: [Request] = []
    private(set) var tokenCount = 0
    /// How often an answer was read on over another connection.
    private(set) var resumedCount = 0
    /// Of prompts, those that were not computed.
    private(set) var reusedTokenCount = 0

    init(_ model: HashModel) { self.model = model }

    mutating func submit(_ work: Work) -> Ticket {
        var request = Request(work: work)
        switch work {
        case .generation(let generation):
            (request.tokens, request.reason) = ReferenceAnswer.generation(generation, model)
        case .scoring(let scoring): request.score = ReferenceAnswer.score(scoring, model)
        }
        requests.append(request)
        return Ticket(UInt64(requests.count - 1))
    }

    /// Requests that have not ended.
    var open: [Ticket] { requests.indices.filter { requests[$0].ending == nil }.map { Ticket(UInt64($0)) } }

    func ending(of ticket: Ticket) -> Ending? { requests[Int(ticket.number)].ending }

    func count(where isCounted: (Ending) -> Bool) -> Int {
        requests.count { $0.ending.map(isCounted) ?? false }
    }

    /// A client reads its answer again, from the beginning.
    mutating func readAgain(_ ticket: Ticket) {
        requests[Int(ticket.number)].receivedCount = 0
        resumedCount += 1
    }

    /// Whether a client has got the next token before, over another connection.
    func isRepeating(_ ticket: Ticket) -> Bool {
        requests[Int(ticket.number)].receivedCount < requests[Int(ticket.number)].knownCount
    }

    /// Tokens that an answer has.
    func tokenCount(of ticket: Ticket) -> Int { requests[Int(ticket.number)].tokens.count }

    mutating func abandon(_ ticket: Ticket) {
        if requests[Int(ticket.number)].ending == nil { requests[Int(ticket.number)].ending = .abandoned }
    }

    mutating func token(_ ticket: Ticket, _ choice: TokenChoice) -> String? {
        let index = Int(ticket.number)
        let request = requests[index]
        if request.ending != nil { return "request \(ticket.number) got a token after its end" }
        guard request.receivedCount < request.tokens.count else {
            return "request \(ticket.number) got a token more than its \(request.tokens.count)"
        }
        let expected = request.tokens[request.receivedCount]
        guard choice == expected else {
            return "token \(request.receivedCount) of request \(ticket.number) is \(choice.token), "
                + "but has to be \(expected.token)" + (choice.token == expected.token ? ", with other figures" : "")
        }
        requests[index].receivedCount += 1
        guard request.receivedCount == request.knownCount else { return nil }
        requests[index].knownCount += 1
        tokenCount += 1
        return nil
    }

    mutating func reused(_ ticket: Ticket, _ count: Int) -> String? {
        let request = requests[Int(ticket.number)]
        guard case .generation(let generation) = request.work, request.ending == nil, request.receivedCount == 0,
            (1..<generation.promptTokens.count).contains(count)
        else { return "request \(ticket.number) is said to have reused \(count) tokens" }
        if request.knownCount == 0 { reusedTokenCount += count }
        return nil
    }

    mutating func finished(_ ticket: Ticket, _ reason: FinishReason) -> String? {
        let request = requests[Int(ticket.number)]
        if let problem = end(ticket, .complete) { return problem }
        guard request.receivedCount == request.tokens.count, request.score == nil, reason == request.reason else {
            return "request \(ticket.number) finished after \(request.receivedCount) of \(request.tokens.count) tokens "
                + "for \(reason.rawValue), but has to for \(request.reason.rawValue)"
        }
        return nil
    }

    mutating func scored(_ ticket: Ticket, _ text: ScoredText) -> String? {
        if let problem = end(ticket, .complete) { return problem }
        return text == requests[Int(ticket.number)].score ? nil : "the scores of request \(ticket.number) are others"
    }

    mutating func failed(_ ticket: Ticket, _ error: GenerationError) -> String? { end(ticket, .failed(error)) }

    private mutating func end(_ ticket: Ticket, _ ending: Ending) -> String? {
        let index = Int(ticket.number)
        guard requests[index].ending == nil else { return "request \(ticket.number) ended twice" }
        requests[index].ending = ending
        return nil
    }
}
