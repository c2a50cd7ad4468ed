import Testing

@testable import OperatorTools

@Suite struct ClusterReportTests {
    private func placement(
        _ model: String, _ placement: String, _ rounds: [(first: Double, rate: Double, predicted: Double?)]
    ) -> ClusterReport.Placement {
        var result = ClusterReport.Placement(model: model, placement: placement)
        result.rounds = rounds.map {
            .init(firstTokenSeconds: $0.first, tokensPerSecond: $0.rate, predictedTokensPerSecond: $0.predicted)
        }
        return result
    }

    private func report(_ placements: [ClusterReport.Placement], concurrency: Int = 1) -> String {
        ClusterReport(
            cpu: "AMD EPYC", concurrency: concurrency, promptTokenCount: 128, generatedTokenCount: 64,
            placements: placements
        ).text
    }

    @Test func `medians stand beside those of the model's first placement and what was predicted`() {
        let text = report([
            placement("tiny", "1", [(0.1, 100, 90), (0.3, 120, 99), (0.2, 90, 95)]),
            placement("tiny", "2", [(0.05, 150, 180)]), placement("other", "1,1", [(1.5, 8, nil)]),
        ])
        #expect(
            text == """
                AMD EPYC, one stream, 128 tokens of prompt, 64 generated

                | model | placement | tok/s | of the first | first token | predicted | error |
                | ----- | --------- | ----: | -----------: | ----------: | --------: | ----: |
                | tiny  | 1         |   100 |        100 % |      200 ms |      95.0 |  -5 % |
                | tiny  | 2         |   150 |        150 % |       50 ms |       180 | +20 % |
                | other | 1,1       |  8.00 |        100 % |     1500 ms |           |       |

                2 predictions: the median error is 13 %, the worst +20 %.
                """)
    }

    @Test func `nothing is said of predictions where none were asked for`() {
        #expect(
            report([placement("tiny", "1", [(0.1, 100, nil)])], concurrency: 4) == """
                AMD EPYC, 4 streams, 128 tokens of prompt, 64 generated

                | model | placement | tok/s | of the first | first token |
                | ----- | --------- | ----: | -----------: | ----------: |
                | tiny  | 1         |   100 |        100 % |      100 ms |
                """)
    }
}
