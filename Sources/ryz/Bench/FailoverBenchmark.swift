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
            of it, all workers in turn. A spare takes over, and the worker comes back as a spare. The exit status is 1 if
            any answer is not that of the undisturbed cluster.
            """)

    @Option(help: "A GGUF file or Hugging Face folder.")
    var model: String
    @OptionGroup var shape: LocalClusterShape
    @Option(help: "Workers besides, which take over.")
    var spares = 3
    @Option(help: "How workers are lost: kill (SIGKILL) or freeze (SIGSTOP).")
    var strike = Strike.kill
    @Option(help: "Tokens of each answer.")
    var generate = 64
    @Option(help: "Strike after every so many tokens only.")
    var every = 1
    @Option(help: "What is asked.")
    var prompt = "Tell me a story about a clockmaker and the sea."

    func validate() throws {
        try ThreadOptions.check(spares, "--spares", in: 1...64)
        try ThreadOptions.check(generate, "--generate", in: 1...4096)
        try ThreadOptions.check(every, "--every", in: 1...4096)
    }

    func run() async throws {
        let workerCount = try shape.workerCount ?? 2
        var options = LocalClusterOptions(
            modelPath: model, workerCount: workerCount,
            threadsPerWorker: ThreadOptions.threadsPerWorker(nil, workerCount: workerCount))
        shape.apply(to: &options)
        options.spareCount = spares
        options.workerLoss = .restarts
        options.logLevel = "critical"
        let progress = ProgressLine()
        defer { progress.clear() }
        let placement = options.placement ?? [Int](repeating: 1, count: workerCount)
        let report = try await Interruption.cancelling { [options] in
            try await LocalCluster.run(options, report: progress.show) { cluster in
                var report = FailoverReport()
                for temperature in [0, 0.8] {
                    report.rows.append(try await strikes(at: cluster.address, temperature, placement, progress))
                }
                return report
            }
        }
        progress.clear()
        guard let report else { throw Interruption.exitCode }
        Terminal.write(report.text + "\n")
        if report.differingCount > 0 { throw ExitCode(1) }
    }

    private func strikes(
        at address: CoordinatorAddress, _ temperature: Double, _ placement: [Int], _ progress: ProgressLine
    ) async throws -> FailoverReport.Row {
        let style = temperature == 0 ? "greedy" : "sampled"
        var options = ChatOptions()
        options.temperature = temperature
        options.seed = 17
        options.maximumTokenCount = generate
        let trial = FailoverTrial(messages: [ChatMessage(role: "user", content: prompt)], options: options)
        var row = FailoverReport.Row(placement: placement, strike: "\(strike.rawValue), \(style)")
        let undisturbed = try await trial.run(on: address)
        var victims = VictimPicker(address)
        for pieceIndex in stride(from: 0, to: generate, by: every) {
            let victim = try await victims.next(within: .seconds(120))
            progress.show("\(placement), \(style): \(strike.rawValue) \(victim.name) after \(pieceIndex) tokens …")
            let outcome = try await trial.run(on: address, pieceIndex: pieceIndex) { strike.hit(victim) }
            strike.release(victim)
            row.streamCount += 1
            if outcome.answer != undisturbed.answer { row.differingCount += 1 }
            if let pause = outcome.pause {
                row.pauses.append(Double(pause.components.seconds) + Double(pause.components.attoseconds) * 1e-18)
            } else {
                row.untouchedCount += 1
            }
        }
        return row
    }
}

extension Strike: ExpressibleByArgument {}
