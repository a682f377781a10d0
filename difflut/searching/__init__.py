"""Searching for the smallest circuit at an accuracy, or the most accurate one in a budget of LUTs."""

from difflut.searching.budget import Budget
from difflut.searching.result import Candidate, SearchResult
from difflut.searching.run import search

__all__ = ["Budget", "Candidate", "SearchResult", "search"]
