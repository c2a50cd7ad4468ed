import ArgumentParser
import CommandSupport
import Foundation
import LocalCluster
import Transport

struct Local: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a whole cluster on this machine, until Ctrl-C or ryz shutdown.",
        discussion: """
            Examples:
              ryz local --workers 3 --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf
              ryz local --placement 2,1 --spares 1 --model model.gguf

            Starts ryz-coord and its workers as child processes, which end with this one. When the cluster is ready, one
            line on standard output says where: http=… A worker that ends is not started anew, unless --restart is
            given; a spare takes its place, or those that are left do.
            """)

    @OptionGroup var shape: LocalClusterShape
    @Option(help: "Workers besides, each of which waits to take the place of one that is lost.")
    var spares = 0
    @Flag(help: "Spares load in advance what they may have to take over.")
    var warmSpares = false
    @Flag(help: "Start a worker anew when it has ended: after 1 s, then 2, 4 … up to 30 s.")
    var restart = false
    @Option(help: "The GGUF file, or the folder of a Hugging Face checkpoint, to serve.")
    var model: String?
    @Option(help: "Threads of each worker. By default the workers share the physical cores.")
    var threadsPerWorker: Int?
    @Option(help: "Where clients speak HTTP, HOST:PORT. Port 0 is any free one.")
    var http = HostPort(host: "127.0.0.1", port: 8080)
    @Option(help: "Longest sequence, in tokens. By default the model's, at most 8192.")
    var context: Int?
    @Option(
        help:
            "How exactly the model's head is kept, which changes answers. By default automatic, or as the settings say."
    )
    var head: HeadPrecision?
    @OptionGroup var kernels: KernelOptions
    @Option(
        help: "Which files workers take weights from: local, fetched (as from another machine), or automatic.")
    var weights: WeightsOrigin?
    @Option(help: "A settings file such as cluster.yaml; the options here come first.")
    var config: String?
    @Option(help: "What the programs log to standard error: debug, info, notice, warning, error.")
    var logLevel = "warning"

    func validate() throws {
        try ThreadOptions.check(spares, "--spares", in: 0...64)
        try ThreadOptions.check(threadsPerWorker, "--threads-per-worker", in: 1...1024)
        guard model != nil || config != nil else { throw ValidationError("no model: give --model FILE") }
    }

    func run() async throws {
        var options = try shape.clusterOptions(
            modelPath: model, defaultWorkerCount: 1, threadsPerWorker: threadsPerWorker)
        options.spareCount = spares
        options.keepsSparesWarm = warmSpares
        options.workerLoss = restart ? .restarts : .isLeft
        options.configurationFile = config
        options.http = http.description
        options.contextLength = context
        options.headPrecision = head
        options.ternaryLayout = kernels.layout
        options.kernel = kernels.kernel
        options.prefetch = kernels.prefetch
        options.weightsOrigin = weights
        options.logLevel = logLevel
        let progress = ProgressLine()
        defer { progress.clear() }
        do {
            try await run(options, progress)
        } catch LocalClusterError.shutDown {
            // As it was asked to.
        }
    }

    private func run(_ options: LocalClusterOptions, _ progress: ProgressLine) async throws {
        _ = try await Interruption.cancelling {
            try await LocalCluster.run(
                options, report: progress.show, notice: { Terminal.writeError($0) }
            ) { cluster in
                progress.clear()
                Terminal.write("http=\(cluster.address)\n")
                if Terminal.hasErrors {
                    let spareText = spares > 0 ? " and \(spares) spare" : ""
                    let replicaText = shape.replicas > 1 ? "\(shape.replicas) replicas of " : ""
                    Terminal.writeError(
                        "\(replicaText)\(options.workerCount) workers\(spareText) are ready; Ctrl-C ends the cluster")
                }
                // Until Ctrl-C, or until the cluster is shut down.
                while true { try await Task.sleep(for: .seconds(3600)) }
            }
        }
    }
}
