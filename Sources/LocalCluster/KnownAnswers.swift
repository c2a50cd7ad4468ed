import ClusterClient
import Transport

/// Questions whose answers are known from a cluster that nothing disturbs.
struct KnownAnswers: Sendable {
    let questions: [FailoverTrial]
    private let answers: [FailoverTrial.Answer]
    private let patience: Duration

    /// Asks each once.
    ///
    /// - Parameter patience: for how long to ask again while the cluster says that it is not ready.
    /// - Throws: `ClusterClientError`.
    init(
        to questions: [FailoverTrial], from address: CoordinatorAddress, patience: Duration = .zero,
        _ report: (String) -> Void
    ) async throws {
        self.questions = questions
        self.patience = patience
        var answers: [FailoverTrial.Answer] = []
        for (index, question) in questions.enumerated() {
            report("undisturbed answer \(index + 1) of \(questions.count) …")
            answers.append(try await Self.answer(to: question, on: address, patience))
        }
        self.answers = answers
    }

    /// Asks one of them again: in words what differs now, if anything does.
    ///
    /// - Throws: `ClusterClientError`.
    func difference(at index: Int, on address: CoordinatorAddress) async throws -> String? {
        let answer = try await Self.answer(to: questions[index], on: address, patience)
        return answer == answers[index] ? nil : "question \(index): \(answer), not \(answers[index])"
    }
}

extension KnownAnswers {
    private static func answer(
        to question: FailoverTrial, on address: CoordinatorAddress, _ patience: Duration
    ) async throws -> FailoverTrial.Answer {
        let deadline = ContinuousClock.now + patience
        while true {
            do {
                return try await question.run(on: address).answer
            } catch ClusterClientError.refused(_, _, "unavailable"?, _) where ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }
}

/// How answers under a disturbance compare with those without.
public struct AnswerTally: Sendable, Equatable {
    /// Answers that are those of the undisturbed cluster.
    public var equalCount = 0
    /// What differs, and what ended in an error, a few of them in words.
    public var differingCount = 0
    public var failedCount = 0
    public var problems: [String] = []

    private static let problemLimit = 8

    mutating func note(difference: String?) {
        guard let difference else {
            equalCount += 1
            return
        }
        differingCount += 1
        note(difference)
    }

    mutating func note(failure: any Error) {
        failedCount += 1
        note("\(failure)")
    }

    mutating func note(_ result: Result<String?, ClusterClientError>) {
        switch result {
        case .success(let difference): note(difference: difference)
        case .failure(let error): note(failure: error)
        }
    }

    private mutating func note(_ problem: String) {
        if problems.count < Self.problemLimit { problems.append(problem) }
    }
}

extension KnownAnswers {
    /// Asks for any of them again and again until it is late.
    ///
    /// - Parameter pace: from one question to the next, at the least.
    /// - Parameter note: is given each difference or none, or the error that an answer ended in.
    func ask(
        _ address: CoordinatorAddress, seed: UInt64, until deadline: ContinuousClock.Instant, pace: Duration = .zero,
        note: (Result<String?, ClusterClientError>) -> Void
    ) async throws {
        var random = SplitMix64(seed: seed)
        while ContinuousClock.now < deadline {
            let next = ContinuousClock.now + pace
            let index = Int.random(in: questions.indices, using: &random)
            do {
                note(.success(try await difference(at: index, on: address)))
            } catch let error as ClusterClientError {
                note(.failure(error))
                // A cluster that refuses at once is not to be asked in a tight loop.
                try await Task.sleep(for: .milliseconds(200))
            }
            try await Task.sleep(until: min(next, deadline), clock: .continuous)
        }
    }
}
