import ClusterClient
import Testing

@testable import OperatorTools

@Suite struct TextTests {
    @Test(arguments: [
        ("AMD Ryzen 9 7950X 16-Core Processor", "Ryzen 9 7950X"),
        ("AMD Ryzen 7 5700G with Radeon Graphics", "Ryzen 7 5700G"),
        ("Intel(R) Xeon(R) Platinum 8480+", "Xeon Platinum 8480+"),
        ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "Core i7-8700K"),
        ("13th Gen Intel(R) Core(TM) i9-13900K", "Core i9-13900K"),
        ("AMD EPYC 7763 64-Core Processor", "EPYC 7763"),
        ("AMD EPYC", "AMD EPYC"), ("unknown", "unknown"), ("", ""),
    ])
    func `names of processors lose what every one has`(name: String, short: String) {
        #expect(ProcessorName.short(name) == short)
    }

    @Test(arguments: [
        (UInt64(0), "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (98 << 20, "98.0 MiB"), (1_048_000, "1023 KiB"),
        (1_048_570, "1.00 MiB"), (1_300_000_000, "1.21 GiB"), (.max, "16384 PiB"),
    ])
    func `bytes have three digits and a binary unit`(count: UInt64, text: String) {
        #expect(Units.bytes(count) == text)
    }

    @Test func `decimals are rounded, and zero has no sign`() {
        #expect(Units.decimal(0.05, places: 1) == "0.1")
        #expect(Units.decimal(-0.04, places: 1) == "0.0")
        #expect(Units.decimal(-12.345, places: 2) == "-12.35" || Units.decimal(-12.345, places: 2) == "-12.34")
        #expect(Units.decimal(7, places: 0) == "7")
        #expect(Units.decimal(0.007, places: 2) == "0.01")
    }

    @Test func `a part of nothing is no percentage`() {
        #expect(Units.percent(1, of: 0) == "–")
        #expect(Units.percent(1, of: 3) == "33 %")
    }

    @Test func `a summary tells how often the best token was the right one`() {
        let answer = ScoreAnswer(
            ids: [1, 2, 3], nextLogProbabilities: [-1, -1], topTokens: [[2], [9], [4]],
            topLogProbabilities: [[-1], [-0.5], [-2]], logitsDigest: [0x0A, 0xFF])
        #expect(
            ScoreSummary.text(answer, duration: .milliseconds(1500)) == """
                tokens         3
                perplexity     2.7183
                best is right  50 %
                time           1.5 s
                logits_sha256  0aff
                """)
    }

    @Test func `a text of one token has no perplexity`() {
        let answer = ScoreAnswer(
            ids: [1], nextLogProbabilities: [], topTokens: [[2]], topLogProbabilities: [[-.infinity]],
            logitsDigest: [])
        #expect(answer.perplexity == nil)
        #expect(answer.topLogProbabilities == [[-9999]])
    }
}
