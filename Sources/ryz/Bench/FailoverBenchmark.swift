import ArgumentParser
import ClusterClient
import CommandSupport
import LocalCluster
import OperatorTools

struct FailoverBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failover",
        abstract:
            "Takes workers from clusters on this machine in the middle of answers, and compares what clients get.",
        discussion: """
            Example:
              ryz bench failover --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --placement 2,1

            Asks for the same answer again and again, greedy and sampled, and strikes a worker after no token, one, two …
            of it, all workers in turn; with --moments, at so many moments of a long prompt, too. A spare takes over, and
            the worker comes back as a spare. The exit status is 1 if any answer is not that of the undisturbed cluster.
            """)

    @Option(help: "A GGUF file or Hugging Face folder.")
    var model: String
    @OptionGroup var shape: LocalClusterShape
    @Option(help: "Workers besides, which take over.")
    var spares = 3
    @Flag(help: "Spares load in advance what they may have to take over; strike only where one has.")
    var warmSpares = false
    @Option(help: "How workers are lost: kill (SIGKILL) or freeze (SIGSTOP).")
    var strike = Strike.kill
    @Option(help: "Tokens of each answer.")
    var generate = 64
    @Option(help: "Strike after every so many tokens only.")
    var every = 1
    @Option(help: "At how many moments between a long question and the first token of its answer to strike.")
    var moments = 0
    @Option(help: "What is asked.")
    var prompt = "Tell me a story about a clockmaker and the sea."

    func validate() throws {
        try ThreadOptions.check(spares, "--spares", in: 1...64)
        try ThreadOptions.check(generate, "--generate", in: 1...4096)
        try ThreadOptions.check(moments, "--moments", in: 0...1000)
        try ThreadOptions.check(every, "--every", in: 1...4096)
    }

    func run() async throws {
        var options = try shape.clusterOptions(modelPath: model, defaultWorkerCount: 2)
        options.spareCount = spares
        options.keepsSparesWarm = warmSpares
        options.workerLoss = .restarts
        // The same question comes again and again, and is to be struck in its middle.
        options.reusesPrefixes = false
        options.logLevel = "critical"
        let progress = ProgressLine()
        defer { progress.clear() }
        let placement = options.placement ?? [Int](repeating: 1, count: options.workerCount)
        let report = try await Interruption.cancelling { [options] in
            try await LocalCluster.run(options, report: progress.show) { cluster in
                var report = FailoverReport()
                for temperature in [0, 0.8] {
                    let style = temperature == 0 ? "greedy" : "sampled"
                    var series = FailoverSeries(
                        placement: placement, strike: strike, address: cluster.address, style: style,
                        progress: progress,
                        needsWarmSpare: warmSpares)
                    let answer = trial(prompt, temperature)
                    let pieces = stride(from: 0, to: generate, by: every).map(FailoverTrial.Moment.afterPieces)
                    report.rows.append(try await series.run(answer, "answer") { _ in pieces })
                    guard moments > 0 else { continue }
                    let question = trial([String](repeating: prompt, count: Self.longPromptCount).joined(), temperature)
                    report.rows.append(
                        try await series.run(question, "prompt") { delay in
                            (0..<moments).map { .afterTime(delay * $0 / moments) }
                        })
                }
                return report
            }
        }
        progress.clear()
        guard let report else { throw Interruption.exitCode }
        Terminal.write(report.text + "\n")
        if report.differingCount > 0 { throw ExitCode(1) }
    }

    /// Makes some 700 tokens of the question, which go in several steps.
    private static let longPromptCount = 60

    private func trial(_ prompt: String, _ temperature: Double) -> FailoverTrial {
        var options = ChatOptions()
        options.temperature = temperature
        options.seed = 17
        options.maximumTokenCount = generate
        return FailoverTrial(messages: [ChatMessage(role: "user", content: prompt)], options: options)
    }
}

/// Strikes at one cluster, all workers in turn.
private struct FailoverSeries {
    let placement: [Int]
    let strike: Strike
    let style: String
    let address: CoordinatorAddress
    let progress: ProgressLine
    private var victims: VictimPicker

    init(
        placement: [Int], strike: Strike, address: CoordinatorAddress, style: String, progress: ProgressLine,
        needsWarmSpare: Bool
    ) {
        (self.placement, self.strike, self.style) = (placement, strike, style)
        (self.address, self.progress) = (address, progress)
        victims = VictimPicker(address, needsWarmSpare: needsWarmSpare)
    }

    /// - Parameter moments: is given the undisturbed time to the first piece.
    mutating func run(
        _ trial: FailoverTrial, _ part: String, at moments: (Duration) -> [FailoverTrial.Moment]
    ) async throws -> FailoverReport.Row {
        var row = FailoverReport.Row(placement: placement, strike: "\(strike.rawValue) in \(part), \(style)")
        _ = try await victims.next(within: Self.patience)
        let undisturbed = try await trial.run(on: address)
        for moment in moments(undisturbed.firstPieceDelay) {
            let (strike, victim) = (strike, try await victims.next(within: Self.patience))
            progress.show("\(placement), \(row.strike): \(victim.name), \(moment) …")
            let outcome = try await trial.run(on: address, strikingAt: moment) { strike.hit(victim) }
            strike.release(victim)
            row.streamCount += 1
            if outcome.answer != undisturbed.answer { row.differingCount += 1 }
            if let pause = outcome.pause {
                row.pauses.append(pause / .seconds(1))
            } else {
                row.untouchedCount += 1
            }
        }
        return row
    }

    private static let patience = Duration.seconds(120)
}

extension Strike: ExpressibleByArgument {}
