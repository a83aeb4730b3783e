"""The works that the texts cite, by the key that stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rgan_train.evaluation.writeup.document import Block, Heading, Listing, texts

REFERENCES: Final = {
    "Benjamini 1995": "Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc "
    "B 1995;57:289-300. doi:10.1111/j.2517-6161.1995.tb02031.x",
    "Johnson 2007": "Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray "
    "expression data using empirical Bayes methods. Biostatistics 2007;8:118-127. "
    "doi:10.1093/biostatistics/kxj037",
    "Kocak 2023": "Kocak B et al. CheckList for EvaluAtion of Radiomics research (CLEAR). Insights "
    "Imaging 2023;14:75. doi:10.1186/s13244-023-01415-8",
    "Kocak 2024": "Kocak B et al. METhodological RadiomICs Score (METRICS). Insights Imaging "
    "2024;15:8. doi:10.1186/s13244-023-01572-w",
    "Lin 1989": "Lin LI. A concordance correlation coefficient to evaluate reproducibility. "
    "Biometrics 1989;45:255-268. doi:10.2307/2532051",
    "McGraw 1996": "McGraw KO, Wong SP. Forming inferences about some intraclass correlation "
    "coefficients. Psychol Methods 1996;1:30-46. doi:10.1037/1082-989X.1.1.30",
    "van Griethuysen 2017": "van Griethuysen JJM et al. Computational radiomics system to decode "
    "the radiographic phenotype. Cancer Res 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339",
    "Wang 2004": "Wang Z, Bovik AC, Sheikh HR, Simoncelli EP. Image quality assessment: from error "
    "visibility to structural similarity. IEEE Trans Image Process 2004;13:600-612. "
    "doi:10.1109/TIP.2003.819861",
    "Whybra 2024": "Whybra P et al. The Image Biomarker Standardization Initiative: standardized "
    "convolutional filters for reproducible radiomics and enhanced clinical insights. Radiology "
    "2024;310:e231319. doi:10.1148/radiol.231319",
    "Zwanenburg 2020": "Zwanenburg A et al. The Image Biomarker Standardization Initiative: "
    "standardized quantitative radiomics for high-throughput image-based phenotyping. Radiology "
    "2020;295:328-338. doi:10.1148/radiol.2020191145",
}


def list_references(blocks: Sequence[Block]) -> list[Block]:
    """Return a section with the works that the blocks cite; nothing if they cite none."""
    written = " ".join(text for block in blocks for text in texts(block))
    cited = [f"{key}: {work}" for key, work in REFERENCES.items() if key in written]
    return [Heading("References"), Listing(cited)] if cited else []
