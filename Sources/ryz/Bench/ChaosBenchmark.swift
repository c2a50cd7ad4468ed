import ArgumentParser
import CommandSupport
import LocalCluster

struct ChaosBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Strikes workers of a cluster on this machine at random moments, under the load of many clients.",
        discussion: """
            Example:
              ryz bench chaos --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --workers 4 --seconds 120 --seed 7

            Workers are killed (SIGKILL), or stand still for a moment (SIGSTOP and SIGCONT); those that ended are started
            anew. scripts/chaos --link-cuts cuts their links for a while, too. Prints what the processes took of the machine
            meanwhile, which should not grow. The exit status is 1 if an answer is not that of the undisturbed cluster or ends
            in an error, or if a process is left over.
            """)

    @Option(help: "A GGUF file or Hugging Face folder.")
    var model: String
    @OptionGroup var shape: LocalClusterShape
    @Option(help: "Workers besides, which take over.")
    var spares = 1
    @Option(help: "How long to strike.")
    var seconds = 120
    @Option(help: "Seconds from one strike to the next, on average.")
    var interval = 3.0
    @Option(help: "How many clients ask at a time.")
    var clients = 6
    @Option(help: "Questions a second that all clients together ask at most. By default as many as are answered.")
    var rate: Double?
    @Option(help: "Of who is struck how, and who asks what.")
    var seed: UInt64 = 1
    @Option(help: "Tokens of each answer.")
    var generate = 48

    @Option(
        help: ArgumentHelp(
            "Network namespaces of the workers and spares, as scripts/chaos --link-cuts makes them: links are cut, too.",
            valueName: "names", visibility: .hidden))
    var namespaces: String?
    @Option(help: ArgumentHelp("The namespace with the bridge, whose ports are port1, port2 …", visibility: .hidden))
    var hub: String?
    @Option(help: ArgumentHelp("Where the coordinator takes workers then.", visibility: .hidden))
    var control: String?
    @Option(help: ArgumentHelp("The coordinator's settings.", visibility: .hidden))
    var config: String?

    func validate() throws {
        try ThreadOptions.check(spares, "--spares", in: 0...64)
        try ThreadOptions.check(seconds, "--seconds", in: 1...86400)
        try ThreadOptions.check(clients, "--clients", in: 1...256)
        try ThreadOptions.check(generate, "--generate", in: 1...4096)
        if let rate {
            guard (0.001...100_000).contains(rate) else {
                throw ValidationError("--rate \(rate): give 0.001 to 100000")
            }
        }
        guard (0.1...3600).contains(interval) else { throw ValidationError("--interval \(interval): give 0.1 to 3600") }
    }

    func run() async throws {
        var options = try shape.clusterOptions(modelPath: model, defaultWorkerCount: 4)
        options.spareCount = spares
        options.workerLoss = .restarts
        options.logLevel = "critical"
        if let control { options.control = control }
        options.configurationFile = config
        options.workerNetworks = networks
        let progress = ProgressLine()
        defer { progress.clear() }
        var chaosOptions = Chaos.Options(
            duration: .seconds(seconds), clientCount: clients, interval: .seconds(interval), seed: seed)
        if let rate { chaosOptions.pace = .seconds(Double(clients) / rate) }
        chaosOptions.networks = options.networksByWorker
        let chaos = Chaos(chaosOptions, questions: FailoverTrial.stories(generate: generate))
        let outcome = try await Interruption.cancelling { [options] in
            try await LocalCluster.run(options, report: progress.show) { cluster in
                try await chaos.run(on: cluster, report: progress.show)
            }
        }
        progress.clear()
        guard let outcome else { throw Interruption.exitCode }
        let leaked = outcome.leakedProcessIDs
        Terminal.write(text(outcome, leaked))
        if outcome.answers.differingCount + outcome.answers.failedCount + leaked.count > 0 { throw ExitCode(1) }
    }

    private var networks: [WorkerNetwork] {
        guard let namespaces, let hub else { return [] }
        return namespaces.split(separator: ",").enumerated().map { index, name in
            WorkerNetwork(namespace: String(name), hub: hub, port: "port\(index + 1)")
        }
    }

    private func text(_ outcome: Chaos.Outcome, _ leaked: [Int32]) -> String {
        var lines = [
            "seed \(seed), \(seconds) s: \(outcome.killCount) kills, \(outcome.freezeCount) freezes, "
                + "\(outcome.linkCutCount) link cuts",
            outcome.answers.summary,
            "processes left over: \(leaked.isEmpty ? "none" : leaked.map(String.init).joined(separator: ", "))",
        ]
        lines += outcome.answers.problems.map { "  \($0)" }
        return (lines + [""] + UsageTable.lines(outcome.samples)).joined(separator: "\n") + "\n"
    }
}
