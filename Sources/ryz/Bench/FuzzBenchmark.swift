import ArgumentParser
import CommandSupport
import Foundation
import LocalCluster

struct FuzzBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz",
        abstract: "Sends to every port of a cluster on this machine what should never come there.",
        discussion: """
            Example:
              ryz bench fuzz --model Tests/Fixtures/ryz-tiny --frames 100000 --seed 7 --keys

            Broken, cut and spliced messages, bytes that are no messages, connections that go nowhere, and requests that no
            client should send, while clients ask for answers that are known. With --keys links are encrypted: first, those
            without a key, with one that is not listed and with a revoked one try every port; then what is sent comes from a
            listed one, or in plain text. The exit status is 1 if an answer differs or ends in an error, a process ends,
            grows, or keeps more open than before, or somebody gets what is not for him.
            """)

    @Option(help: "A GGUF file or Hugging Face folder.")
    var model: String
    @OptionGroup var shape: LocalClusterShape
    @Option(help: "Frames and requests in all.")
    var frames = 100_000
    @Option(help: "Seconds after which no more are sent.")
    var seconds = 240
    @Option(help: "Of what is sent, and who asks what.")
    var seed: UInt64 = 1
    @Option(help: "How many clients ask at a time.")
    var clients = 2
    @Option(help: "Tokens of each answer.")
    var generate = 32
    @Option(help: "Bytes that a process may have grown by in the end, such as 64MiB. By default 48MiB.")
    var growth: ByteCount?
    @Flag(help: "Encrypt the cluster's links.")
    var keys = false
    @Option(help: "What the cluster's processes log.")
    var logLevel = "critical"

    func validate() throws {
        try ThreadOptions.check(frames, "--frames", in: 1...1_000_000_000)
        try ThreadOptions.check(seconds, "--seconds", in: 1...86400)
        try ThreadOptions.check(clients, "--clients", in: 1...256)
        try ThreadOptions.check(generate, "--generate", in: 1...4096)
    }

    func run() async throws {
        var options = try shape.clusterOptions(modelPath: model, defaultWorkerCount: 2)
        options.logLevel = logLevel
        var fuzzOptions = Fuzz.Options(
            frameCount: frames, limit: .seconds(seconds), clientCount: clients, seed: seed)
        if let growth { fuzzOptions.growthLimit = UInt64(growth.value) }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-fuzz-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        if keys { fuzzOptions.keys = try options.encrypt(in: folder) }
        let progress = ProgressLine()
        defer { progress.clear() }
        let fuzz = Fuzz(fuzzOptions, questions: FailoverTrial.stories(generate: generate))
        let outcome = try await Interruption.cancelling { [options] in
            try await LocalCluster.run(options, report: progress.show) { cluster in
                try await fuzz.run(on: cluster, report: progress.show)
            }
        }
        progress.clear()
        guard let outcome else { throw Interruption.exitCode }
        Terminal.write(text(outcome))
        if !outcome.isGood { throw ExitCode(1) }
    }

    private func text(_ outcome: FuzzOutcome) -> String {
        func list<Key: Comparable>(_ counts: [Key: some BinaryInteger]) -> String {
            counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        }
        var lines = [
            "seed \(seed): \(outcome.frameCount) frames over \(outcome.connectionCount) connections",
            "sent to: \(list(outcome.frameCounts))", "dropped, as health tells: \(list(outcome.droppedCounts))",
            "HTTP answers: \(list(outcome.statusCounts))", outcome.answers.summary,
        ]
        if keys {
            lines.append(
                "without a key, with an unlisted one, with a revoked one: tried at \(outcome.strangerPortCount) ports")
        }
        lines.append("problems: \(outcome.problems.isEmpty ? "none" : "")")
        lines += (outcome.problems + outcome.answers.problems).map { "  \($0)" }
        return (lines + [""] + UsageTable.lines(outcome.samples)).joined(separator: "\n") + "\n"
    }
}
