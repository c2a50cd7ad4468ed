import Testing

@testable import OperatorTools

@Suite struct PlacementPictureTests {
    private typealias Stage = PlacementPicture.Stage
    private typealias Rank = PlacementPicture.Rank

    private func text(_ stages: [Stage], width: Int) -> String {
        PlacementPicture(stages: stages).lines(width: width).joined(separator: "\n")
    }

    private let uneven = [
        Stage(layers: 0..<10, ranks: [Rank(name: "big", heads: 0..<3), Rank(name: "second", heads: 3..<5)]),
        Stage(layers: 10..<11, ranks: [Rank(name: "small", heads: 0..<5)]),
        Stage(
            layers: 11..<30,
            ranks: [
                Rank(name: "x", heads: 0..<2), Rank(name: "y", heads: 2..<4), Rank(name: "z", heads: 4..<5),
            ]),
    ]

    @Test func `stages stand beside each other, their ranks below each other`() {
        #expect(
            text(uneven, width: 80) == """
                layers 0–9             layer 10    layers 11–29
                ┌──────────────────┐   ┌───────┐   ┌─────────────┐
                │ big    heads 0–2 │ → │ small │ → │ x heads 0–1 │
                ├──────────────────┤   └───────┘   ├─────────────┤
                │ second heads 3–4 │               │ y heads 2–3 │
                └──────────────────┘               ├─────────────┤
                                                   │ z head 4    │
                                                   └─────────────┘
                """)
    }

    @Test func `stages without room beside the others go on below`() {
        #expect(
            text(uneven, width: 40) == """
                layers 0–9             layer 10
                ┌──────────────────┐   ┌───────┐
                │ big    heads 0–2 │ → │ small │ →
                ├──────────────────┤   └───────┘
                │ second heads 3–4 │
                └──────────────────┘
                layers 11–29
                ┌─────────────┐
                │ x heads 0–1 │
                ├─────────────┤
                │ y heads 2–3 │
                ├─────────────┤
                │ z head 4    │
                └─────────────┘
                """)
    }

    @Test func `names that are too long are cut`() {
        let name = "a-node-with-a-name-of-many-more-letters-than-anybody-would-like-to-type"
        #expect(
            text([Stage(layers: 0..<5, ranks: [Rank(name: name)])], width: 80) == """
                layers 0–4
                ┌──────────────────────────┐
                │ a-node-with-a-name-of-m… │
                └──────────────────────────┘
                """)
        let ranks = [Rank(name: name, heads: 0..<1), Rank(name: "b", heads: 1..<2)]
        #expect(
            text([Stage(layers: 0..<5, ranks: ranks)], width: 20) == """
                layers 0–4
                ┌──────────────────┐
                │ a-node-w… head 0 │
                ├──────────────────┤
                │ b         head 1 │
                └──────────────────┘
                """)
    }

    @Test func `a title that is wider than its names widens the box`() {
        #expect(
            text([Stage(layers: 1000..<2000, ranks: [Rank(name: "a")])], width: 80) == """
                layers 1000–1999
                ┌──────────────┐
                │ a            │
                └──────────────┘
                """)
    }

    @Test func `no line is longer than the width, however narrow`() {
        for width in 0...80 {
            for line in PlacementPicture(stages: uneven).lines(width: width) { #expect(line.count <= width) }
        }
        #expect(PlacementPicture(stages: []).lines(width: 80) == [])
    }
}
