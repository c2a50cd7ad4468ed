import Testing
import Transport

@testable import CommandSupport

@Suite struct ProgressBarTests {
    @Test func `a bar fits its line and fills from nothing to all`() {
        func text(_ done: UInt64, _ columnCount: Int = 80) -> String {
            ProgressBar.text(
                LoadingProgress(doneByteCount: done << 20, byteCount: 700 << 20), columnCount: columnCount)
        }
        #expect(text(0) == "weights [" + String(repeating: " ", count: 40) + "]   0 %, 0 of 700 MiB")
        #expect(text(350).hasPrefix("weights [####################                    ]  50 %, 350 of"))
        #expect(text(700) == "weights [" + String(repeating: "#", count: 40) + "] 100 %, 700 of 700 MiB")
        for columnCount in 45..<100 { #expect(text(350, columnCount).count < columnCount) }
        #expect(text(350, 30) == "weights  50 %, 350 of 700 MiB")
        #expect(ProgressBar.text(LoadingProgress(doneByteCount: 0, byteCount: 0), columnCount: 80).contains("0 %"))
    }

    @Test(arguments: [("40GiB", 40 << 30), ("1.5GB", 1_500_000_000), ("12B", 12), ("3MiB", 3 << 20)])
    func `sizes have a unit`(text: String, value: Int) {
        #expect(ByteCount(argument: text)?.value == value)
    }

    @Test(arguments: ["40", "GiB", "-1GiB", "0GiB", "1 EiB", "nanGiB", "infB", "1e30TiB", ""])
    func `others are refused`(text: String) {
        #expect(ByteCount(argument: text) == nil)
    }
}
