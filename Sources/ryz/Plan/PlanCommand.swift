import ArgumentParser
import Checkpoints
import ClusterClient
import ClusterCore
import CommandSupport
import CoordinatorRuntime
import Kernels
import ModelTools
import OperatorTools
import Transport

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Says how a model is best placed on machines, how fast it will be there, and why.",
        discussion: """
            Examples:
              ryz plan --nodes nodes.yaml --like bitnet-2b-4t
              ryz plan --nodes nodes.yaml --model ~/.ryz/models/falcon3-7b --objective throughput --concurrency 16
              ryz plan --nodes nodes.yaml --like llama3-8b --placement 2,1 --json
              ryz plan --coordinator http://192.168.1.10:8080

            With --coordinator, the workers of a running cluster are planned for, with what they have measured, and the
            model is the one that it serves unless another is named. The nodes file lists machines that need not be there:

              nodes:
                - {name: box, count: 3, threads: 8, memory: 32GiB, bandwidth: 40GB/s, prefill: 400GMAC/s}
                - {name: old, threads: 4, memory: 16GiB, bandwidth: 18GB/s, prefill: 60GMAC/s}
              links: {latency: 150us, bandwidth: 1Gbit/s}

            docs/planning.md describes it, and what predictions are made of. Known shapes for --like:
            \(ModelShape.known.map(\.name).joined(separator: ", ")).
            """)

    @Option(help: "A file that lists machines with what they can do; - is standard input.")
    var nodes: String?
    @Option(help: "Where a coordinator speaks HTTP, to plan for its workers instead.")
    var coordinator: String?
    @Option(help: "The GGUF file, or the folder of a Hugging Face or converted model.")
    var model: String?
    @Option(help: "The name of a known shape instead.")
    var like: String?
    @Option(help: "What to be best at: latency of one stream, or throughput of --concurrency streams.")
    var objective: PlanObjective = .latency
    @Option(help: "Streams at a time, for the throughput.")
    var concurrency = 8
    @Option(help: "Longest sequence, in tokens. By default the model's, at most 8192, or the cluster's.")
    var context: Int?
    @Option(help: "KV cache of every stage, in tokens over all sequences. By default two contexts, or the cluster's.")
    var kvTokens: Int?
    @Option(help: "Tokens of the prompt, for the time to the first token; decoding is predicted after it.")
    var prompt = 128
    @Option(
        help: ArgumentHelp(
            "How many ranks each stage has, such as 2,1. By default, and with auto, the planner decides.",
            valueName: "ranks"))
    var placement: CommandSupport.PlacementShape?
    @Option(help: "A node that is to have no part; may be repeated.")
    var exclude: [String] = []
    @Option(help: "How exactly the model's head is kept.")
    var head: HeadPrecision = .automatic
    @Option(help: "The grid of activations in models with inner norms: exact or segment.")
    var grid: ActivationGrid = .exact
    @Flag(help: "Sampling is not greedy, so that logits are brought together.")
    var sampling = false
    @Flag(help: "Print JSON, with sizes in bytes and times in seconds.")
    var json = false

    func validate() throws {
        guard (nodes == nil) != (coordinator == nil) else {
            throw ValidationError("give either --nodes or --coordinator")
        }
        guard model == nil || like == nil, coordinator != nil || model != nil || like != nil else {
            throw ValidationError("give either --model or --like")
        }
        try ThreadOptions.check(concurrency, "--concurrency", in: 1...65_536)
        try ThreadOptions.check(context, "--context", in: 1...(1 << 24))
        try ThreadOptions.check(kvTokens, "--kv-tokens", in: 1...(1 << 30))
        try ThreadOptions.check(prompt, "--prompt", in: 1...(1 << 20))
    }

    func run() async throws {
        let cluster = try await measuredCluster
        let measurements =
            if let cluster { cluster.measurements } else {
                try ClusterMeasurements.parse(
                    InputFile.text(nodes ?? "-", maximumByteCount: Self.nodesFileLimit), file: nodes ?? "-")
            }
        let costs = try modelCosts ?? served(by: cluster)
        let settled = model == nil && like == nil ? cluster : nil
        let contextLength =
            context ?? settled?.contextLength ?? min(costs.contextLength, Self.defaultContextLimit)
        guard contextLength <= costs.contextLength else {
            throw ValidationError("--context \(contextLength): the model was made for \(costs.contextLength) tokens")
        }
        var constraints = cluster?.constraints ?? PlanConstraints()
        if let placement { constraints.rankCounts = placement.ranks }
        constraints.excludedNodes += exclude
        let request = PlanRequest(
            objective: objective, concurrency: concurrency, contextLength: contextLength,
            keyValueTokenCapacity: kvTokens ?? (context == nil ? settled?.keyValueTokenCapacity : nil),
            promptLength: min(prompt, contextLength), maximumStepRowCount: settled?.maximumStepRowCount ?? 512,
            gathersLogits: sampling, constraints: constraints)
        let plan = try Planner.plan(measurements, costs, request)
        let report = PlanReport(plan, request: request, costs: costs, nodeCount: measurements.nodes.count)
        let text =
            json
            ? try JSONOutput.text(report, isPretty: true)
            : report.text(
                width: 120, pictureWidth: TerminalSize.columnCount ?? 120, isColoured: Terminal.showsColours)
        Terminal.write(text + "\n")
    }

    /// As the coordinator has it by default.
    private static let defaultContextLimit = 8192
    private static let nodesFileLimit = 1 << 20

    /// What a running cluster has measured; nil without one.
    private var measuredCluster: PlanningInput? {
        get async throws {
            guard let coordinator else { return nil }
            let address: CoordinatorAddress
            do { address = try CoordinatorAddress(coordinator) } catch { throw ValidationError("\(error)") }
            let input = try await ClusterClient(address).planningInput()
            guard input.missing.isEmpty else {
                throw InputError.unexpected(path: "\(address)", problem: input.missing.joined(separator: "; "))
            }
            return input
        }
    }

    private func served(by cluster: PlanningInput?) throws -> ModelCosts {
        guard let model = cluster?.model else {
            throw ValidationError("the coordinator does not say what its model costs; give --model or --like")
        }
        return model
    }

    /// Of the model that is named; nil if none is.
    private var modelCosts: ModelCosts? {
        get throws {
            if let model { return ModelCosts(try ModelFile(path: model), headPrecision: head, grid: grid) }
            guard let like else { return nil }
            guard let shape = ModelShape.known.first(where: { $0.name == like }) else {
                let names = ModelShape.known.map(\.name).joined(separator: ", ")
                throw ValidationError("--like \(like): use one of \(names)")
            }
            return ModelCosts(shape, grid: grid)
        }
    }
}

extension PlanObjective: ExpressibleByArgument {}
