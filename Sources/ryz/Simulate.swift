import ArgumentParser
import CommandSupport
import Foundation
import Simulation

struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs clusters in virtual time, from a seed, while everything goes wrong that can.",
        discussion: """
            Examples:
              ryz simulate --seed 42
              ryz simulate --seed 42 --nodes 4 --faults loss,crash --events
              ryz simulate --seed 1 --seeds 10000

            The coordinator and the workers of such a cluster decide as the real ones do; network, clock and the model's
            arithmetic are simulated. A seed gives the same run, always. Faults strike for a while, then they stop and
            the cluster has to recover; docs/simulation.md says what is checked. Faults are named, as all, none or a list
            such as loss,crash,delay=0.1: \(Fault.allCases.map(\.rawValue).joined(separator: ", ")).

            If a rule is broken, the seed, the virtual time, the rule, the last events and the command that replays them
            are printed, and the exit status is 1.
            """)

    @Option(help: "Where all that happens follows from; the first one with --seeds.")
    var seed: UInt64
    @Option(help: "How many seeds to run, on all cores, up to the first that breaks a rule.")
    var seeds: UInt64 = 1
    @Option(help: "End after so many minutes, with the seeds that have run by then.")
    var minutes: Double?
    @Option(help: ArgumentHelp("How many workers there are; by default the seed says.", valueName: "workers"))
    var nodes: Int?
    @Option(help: "What goes wrong: all, none, or a list of names.", transform: { try Faults(parsing: $0) })
    var faults = Faults.all
    @Option(help: "Seeds that run at a time. By default as many as there are processors.")
    var jobs: Int?
    @Flag(help: "Print every event of a single seed.")
    var events = false

    func validate() throws {
        if let nodes, !(1...16).contains(nodes) { throw ValidationError("--nodes \(nodes): give 1 to 16") }
        if let jobs, !(1...1024).contains(jobs) { throw ValidationError("--jobs \(jobs): give 1 to 1024") }
        guard seeds > 0, seed.addingReportingOverflow(seeds).overflow == false else {
            throw ValidationError("--seeds \(seeds): give at least 1, and no more than there are after --seed")
        }
        guard !events || seeds == 1 else {
            throw ValidationError("--events prints those of one seed; leave out --seeds")
        }
        guard seeds > 1 || minutes == nil && jobs == nil else {
            throw ValidationError("--minutes and --jobs go with --seeds")
        }
        if let minutes, !(0.001...1e6).contains(minutes) {
            throw ValidationError("--minutes \(minutes): give 0.001 to 1000000")
        }
    }

    func run() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        var totals = Swarm.Totals()
        if seeds == 1 {
            let cluster = SimulatedCluster(seed: seed, workerCount: nodes, faults: faults)
            Terminal.write("seed \(seed): \(cluster.summary)\n")
            let listener: ((String) -> Void)? = events ? { Terminal.write($0 + "\n") } : nil
            totals.add(cluster.run(listener: listener))
        } else {
            let progress = ProgressLine()
            let limit = minutes.map { Duration.seconds($0 * 60) }
            totals = await Swarm(seeds: seed..<(seed + seeds), workerCount: nodes, faults: faults).run(
                threadCount: jobs ?? ProcessInfo.processInfo.activeProcessorCount
            ) { totals in
                progress.show("\(totals.seedCount) of \(seeds) seeds")
                return limit.map { clock.now - start < $0 } ?? true
            }
            progress.clear()
        }
        Terminal.write(text(totals, in: clock.now - start))
        if totals.firstViolation != nil { throw ExitCode.failure }
    }

    private func text(_ totals: Swarm.Totals, in duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        let struck = Fault.allCases.filter { totals.faults[$0] > 0 }.map { "\(totals.faults[$0]) \($0.rawValue)" }
        var lines = [
            "faults     \(struck.isEmpty ? "none" : struck.joined(separator: ", "))",
            "requests   \(totals.completeCount) answered in full, \(totals.failedCount) failed with a reason, "
                + "\(totals.abandonedCount) left by their client or coordinator; \(totals.tokenCount) tokens, "
                + "\(totals.reusedTokenCount) of prompts reused, \(totals.resumedCount) times read on",
            "cluster    \(totals.epochCount) placements, \(totals.messageCount) messages, "
                + "\(Self.rounded(totals.virtualSeconds)) virtual seconds; "
                + "well \(Self.rounded(totals.longestRecoverySeconds)) s after the faults at the latest",
            "\(totals.seedCount) seeds in \(Self.rounded(seconds)) s, "
                + "\(Int(Double(totals.seedCount) / max(seconds, 1e-3) * 60)) a minute",
        ]
        if let report = totals.firstViolation, let violation = report.violation {
            lines += ["", "last events:"] + report.lastEvents.map { "  " + $0 }
            lines += [
                "",
                "seed \(report.seed) broke a rule after \(Self.rounded(report.virtualSeconds)) virtual seconds: "
                    + violation.rule.rawValue,
                "  \(violation.detail)", "replay: \(replay(report.seed))",
            ]
        } else {
            lines.append("no rule was broken")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func replay(_ seed: UInt64) -> String {
        "ryz simulate --seed \(seed)" + (nodes.map { " --nodes \($0)" } ?? "")
            + (faults == .all ? "" : " --faults \(faults.text)") + " --events"
    }

    private static func rounded(_ value: Double) -> String { String(format: "%.1f", value) }
}
