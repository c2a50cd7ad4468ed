import Foundation
import TestSupport
import Testing

@testable import OperatorTools

/// What llama-bench prints, cut to some of its fields.
private func output(
    _ tests: [(prompt: Int, generated: Int, rate: String)], before: String = ""
) -> [UInt8] {
    let objects = tests.map { test in
        """
          {
            "build_commit": "b0c3013f2",
            "model_filename": "models/\\"2b\\".gguf",
            "n_threads": 2,
            "n_prompt": \(test.prompt),
            "n_gen": \(test.generated),
            "avg_ns": 1157331441,
            "avg_ts": \(test.rate),
            "stddev_ts": 0.000000,
            "samples_ns": [ 1157331441 ],
            "samples_ts": [ \(test.rate) ]
          }
        """
    }
    return Array("\(before)[\n\(objects.joined(separator: ",\n"))\n]\n".utf8)
}

@Suite struct `What llama-bench prints` {
    private let peer = LlamaBench(program: "llama-bench", model: "2b.gguf")

    @Test(arguments: ["", "warning: asserts enabled, performance may be affected\n{ not JSON\n"])
    func `gives the rates of the prompt and of generation, also behind other lines`(before: String) throws {
        let bytes = output([(512, 0, "121.370000"), (0, 64, "24.9")], before: before)
        let rates = try peer.rates(in: bytes, prompt: 512, generate: 64)
        #expect(rates == LlamaBench.Rates(prefill: 121.37, decode: 24.9))
    }

    @Test func `is refused when it lacks one of them, or is something else`() {
        let whole = output([(512, 0, "121.37"), (0, 64, "24.9")])
        let wrong: [[UInt8]] = [
            [], Array("| model | size |".utf8), whole.dropLast(3), Array("[1, 2]".utf8), Array("[]".utf8),
            output([(512, 0, "121.37")]), output([(512, 0, "121.37"), (0, 128, "24.9")]),
            output([(512, 0, "121.37"), (0, 64, "0.0")]), output([(512, 0, "\"fast\""), (0, 64, "24.9")]),
            output([(512, 0, "1e999"), (0, 64, "24.9")]),
            output([(512, 0, "121.37"), (0, 64, "24.9"), (0, 64, "25.9")]),
        ]
        for bytes in wrong {
            let error = #expect(throws: PeerError.self) {
                try peer.rates(in: Array(bytes), prompt: 512, generate: 64)
            }
            #expect(error?.description.contains("give the path of llama-bench") == true)
        }
    }
}

@Suite struct `A peer's benchmark` {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A shell, to which -m is an option of no matter here and the model the script that it runs. A script that was
    /// itself the program could not be started while another test's child still holds it open.
    private func peer(_ script: String) throws -> LlamaBench {
        try folder.write(script + "\n", "a model")
        return LlamaBench(program: "/bin/sh", model: folder.path + "/a model")
    }

    @Test func `is asked for one run of both phases`() throws {
        try folder.write(output([(32, 0, "10.5"), (0, 8, "2.5")]), "figures")
        let peer = try peer("echo \"$@\" > '\(folder.path)/arguments'; echo loading >&2; cat '\(folder.path)/figures'")
        let rates = try peer.run(threads: 2, prompt: 32, generate: 8)
        #expect(rates == LlamaBench.Rates(prefill: 10.5, decode: 2.5))
        #expect(try folder.text("arguments") == "-t 2 -p 32 -n 8 -r 1 -o json\n")
    }

    @Test func `says why it failed`() throws {
        let failing = try peer("echo noise >&2; echo 'error: unable to load model' >&2; exit 3")
        #expect(
            throws: PeerError.failed(program: failing.program, status: 3, message: "error: unable to load model")
        ) { try failing.run(threads: 1, prompt: 1, generate: 1) }
        let missing = LlamaBench(program: folder.path + "/missing", model: "m")
        let error = #expect(throws: PeerError.self) { try missing.run(threads: 1, prompt: 1, generate: 1) }
        #expect(error?.description.contains("it cannot be started") == true)
    }

    @Test func `is killed when it takes too long`() throws {
        var endless = try peer("exec sleep 600")
        endless.timeout = .milliseconds(100)
        #expect(throws: PeerError.timedOut(program: endless.program, seconds: 0)) {
            try endless.run(threads: 1, prompt: 1, generate: 1)
        }
    }
}

@Suite struct `A benchmark's report` {
    private func report(peer: String?) -> BenchmarkReport {
        let isBeside = peer != nil
        var prefill = PhaseFigures(tokens: 512, workPerToken: 1e9)
        var decode = PhaseFigures(tokens: 64, workPerToken: 1e9)
        for (ours, theirs, roof) in [(100.0, 50.0, 200e9), (90, 30, 300e9), (110, 100, 100e9)] {
            prefill.rounds.append(
                .init(tokensPerSecond: ours, roof: roof, peerTokensPerSecond: isBeside ? theirs : nil))
            decode.rounds.append(
                .init(tokensPerSecond: ours / 10, roof: roof / 10, peerTokensPerSecond: isBeside ? theirs / 10 : nil))
        }
        let candidate = CandidateFigures(
            layout: "b2", kernel: "lookup", prefetch: "far", columns: 2560, groupColumns: 64,
            multiplyAddsPerSecond: 1.34e11,
            isChosen: true)
        let model = ModelFigures(
            name: "tiny", weightsByteCount: 98 << 20, candidates: [candidate], candidatesOrigin: "measured",
            loadSeconds: 0.25, prefill: prefill, decode: decode)
        let kernel = KernelFigures(
            operation: "matvec", type: "q4_1", rows: 2560, columns: 6912, batch: 1, bytesPerSecond: 39e9,
            multiplyAddsPerSecond: 62e9, shareOfRoof: 0.93)
        var report = BenchmarkReport(cpu: "AMD EPYC", instructionSet: "avx512", build: "release", peer: peer)
        report.runs = [
            BenchmarkRun(
                threads: 1,
                roofs: Roofs(readBytesPerSecond: 42e9, dotProductsPerSecond: 546e9, bufferByteCount: 1 << 30),
                kernels: isBeside ? [] : [kernel], model: model)
        ]
        return report
    }

    @Test func `takes medians of rounds, and the ratio round by round`() throws {
        let phase = try #require(report(peer: "llama-bench").runs[0].model).prefill
        #expect(phase.tokensPerSecond == 100)
        #expect(phase.peerTokensPerSecond == 50)
        // 2, 3 and 1.1.
        #expect(phase.ratio == 2)
        // 100 of 200, 90 of 300 and 110 of 100 times 10⁹.
        #expect(phase.shareOfRoof == 0.5)
        #expect(report(peer: nil).runs[0].model?.prefill.ratio == nil)
    }

    @Test func `is one table in Markdown`() {
        #expect(
            report(peer: "llama-bench").text == """
                AMD EPYC, avx512, release build

                | threads |                                                     | tok/s | peer |  ratio |         rate |         roof | share |
                | ------: | --------------------------------------------------- | ----: | ---: | -----: | -----------: | -----------: | ----: |
                |       1 | read roof                                           |       |      |        |              |    42.0 GB/s |       |
                |       1 | dot-product roof                                    |       |      |        |              | 546.0 GMAC/s |       |
                |       1 | b2/64 by lookup, prefetch far, 2560 columns, chosen |       |      |        | 134.0 GMAC/s |              |       |
                |       1 | prefill of 512 tokens                               |   100 | 50.0 | 2.00 × | 100.0 GMAC/s | 200.0 GMAC/s |  50 % |
                |       1 | decode of 64 tokens                                 |  10.0 | 5.00 | 2.00 × |    10.0 GB/s |    20.0 GB/s |  50 % |

                tiny: 98.0 MiB of weights, loaded in 0.3 s. Medians of rounds: 3; decode from an empty context.

                peer: llama-bench, a turn in each round; ratios are those of the rounds.

                rates of layouts, kernels and prefetches, threads 1: measured
                """)
        let alone = report(peer: nil).text
        #expect(alone.contains("| matvec q4_1 2560×6912 "))
        #expect(!alone.contains("peer") && !alone.contains("ratio"))
    }

    @Test func `has the same figures in JSON`() throws {
        let data = try JSONEncoder().encode(report(peer: "llama-bench"))
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let run = try #require((object["runs"] as? [[String: Any]])?.first)
        let decode = (run["model"] as? [String: Any])?["decode"] as? [String: Any]
        #expect(decode?["tokens_per_second"] as? Double == 10)
        #expect(decode?["ratio"] as? Double == 2)
        #expect((decode?["rounds"] as? [Any])?.count == 3)
    }
}
